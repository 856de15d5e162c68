import { PulledStream } from '../../async/pulled-stream.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { isEnded } from '../kernel/session-state.ts'

/** Notifies the followers of sessionChanged, in this process, of changes to sessions. */
export class SessionChanges {
  readonly #followers = new Set<ChangeFollower>()

  announce(snapshot: SessionSnapshot): void {
    for (const follower of this.#followers) follower.offer(snapshot)
  }

  /**
   * The snapshots from `now`, then each change. With a sessionId it completes after that session's end; without it
   * stays open. It subscribes before it reads the current state, so that no change is missed. `ended`: called once it
   * delivers nothing more.
   */
  follow(
    owner: string,
    sessionId: string | null,
    now: () => Promise<SessionSnapshot[]>,
    signal: AbortSignal,
    ended: () => void = () => {},
  ): AsyncIterableIterator<SessionSnapshot> {
    return new ChangeFollower(this.#followers, owner, sessionId, now, signal, ended)
  }
}

/**
 * One follower: bounded by the number of sessions, however slow the reader is, because snapshots of a session that
 * differ in details only replace each other; each status is delivered.
 */
class ChangeFollower extends PulledStream<SessionSnapshot> {
  readonly #followers: Set<ChangeFollower>
  readonly #owner: string
  readonly #sessionId: string | null
  readonly #now: () => Promise<SessionSnapshot[]>
  readonly #ended: () => void
  #waiting: SessionSnapshot[] = []
  #complete = false

  constructor(
    followers: Set<ChangeFollower>,
    owner: string,
    sessionId: string | null,
    now: () => Promise<SessionSnapshot[]>,
    signal: AbortSignal,
    ended: () => void,
  ) {
    super(signal)
    this.#followers = followers
    this.#owner = owner
    this.#sessionId = sessionId
    this.#now = now
    this.#ended = ended
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
    // A change that arrived meanwhile is newer than the current state that was read, and replaces it.
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
    this.#ended()
  }
}
