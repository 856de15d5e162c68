import { PulledStream } from '../../async/pulled-stream.ts'
import type { SessionSnapshot } from '../log/session-snapshot.ts'
import { isEnded } from '../kernel/session-state.ts'

/** Tells the followers of sessionChanged, in this process, what sessions have become. */
export class SessionChanges {
  readonly #followers = new Set<ChangeFollower>()

  announce(snapshot: SessionSnapshot): void {
    for (const follower of this.#followers) follower.offer(snapshot)
  }

  /**
   * The snapshots `now` gives, then each change. With a sessionId it completes after that session's end; without it
   * stays open. Followed first and asked for the present second, so that nothing falls between the two.
   */
  follow(
    owner: string,
    sessionId: string | null,
    now: () => Promise<SessionSnapshot[]>,
    signal: AbortSignal,
  ): AsyncIterableIterator<SessionSnapshot> {
    return new ChangeFollower(this.#followers, owner, sessionId, now, signal)
  }
}

/**
 * One follower: bounded by the number of sessions, whatever the reader does, because snapshots of a session that differ
 * in details only replace each other; each status is told.
 */
class ChangeFollower extends PulledStream<SessionSnapshot> {
  readonly #followers: Set<ChangeFollower>
  readonly #owner: string
  readonly #sessionId: string | null
  readonly #now: () => Promise<SessionSnapshot[]>
  #waiting: SessionSnapshot[] = []
  #complete = false

  constructor(
    followers: Set<ChangeFollower>,
    owner: string,
    sessionId: string | null,
    now: () => Promise<SessionSnapshot[]>,
    signal: AbortSignal,
  ) {
    super(signal)
    this.#followers = followers
    this.#owner = owner
    this.#sessionId = sessionId
    this.#now = now
  }

  offer(snapshot: SessionSnapshot): void {
    if (snapshot.owner !== this.#owner || (this.#sessionId !== null && snapshot.id !== this.#sessionId)) return
    const index = this.#waiting.findLastIndex((waiting) => waiting.id === snapshot.id)
    if (index >= 0 && this.#waiting[index]!.status === snapshot.status) this.#waiting[index] = snapshot
    else this.#waiting.push(snapshot)
    this.wake()
  }

  protected async begin(): Promise<void> {
    this.#followers.add(this)
    const present = await this.#now()
    const changed = this.#waiting
    // A change that arrived meanwhile is newer than the present that was asked for: it alone is told.
    this.#waiting = [...present.filter((snapshot) => !changed.some(({ id }) => id === snapshot.id)), ...changed]
  }

  protected async pull(): Promise<SessionSnapshot | null> {
    while (!this.hasEnded && !this.#complete) {
      this.forgetNews()
      const snapshot = this.#waiting.shift()
      if (snapshot) {
        this.#complete = this.#sessionId !== null && isEnded(snapshot.status)
        return snapshot
      }
      await this.untilNews()
    }
    return null
  }

  protected free(): void {
    this.#waiting = []
    this.#followers.delete(this)
  }
}
