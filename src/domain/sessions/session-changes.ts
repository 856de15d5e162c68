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
class ChangeFollower implements AsyncIterableIterator<SessionSnapshot> {
  readonly #followers: Set<ChangeFollower>
  readonly #owner: string
  readonly #sessionId: string | null
  readonly #now: () => Promise<SessionSnapshot[]>
  readonly #signal: AbortSignal
  #waiting: SessionSnapshot[] = []
  #started = false
  #closed = false
  #complete = false
  #wake: (() => void) | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    followers: Set<ChangeFollower>,
    owner: string,
    sessionId: string | null,
    now: () => Promise<SessionSnapshot[]>,
    signal: AbortSignal,
  ) {
    this.#followers = followers
    this.#owner = owner
    this.#sessionId = sessionId
    this.#now = now
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  offer(snapshot: SessionSnapshot): void {
    if (snapshot.owner !== this.#owner || (this.#sessionId !== null && snapshot.id !== this.#sessionId)) return
    const index = this.#waiting.findLastIndex((waiting) => waiting.id === snapshot.id)
    if (index >= 0 && this.#waiting[index]!.status === snapshot.status) this.#waiting[index] = snapshot
    else this.#waiting.push(snapshot)
    this.#wake?.()
  }

  next(): Promise<IteratorResult<SessionSnapshot, undefined>> {
    const turn = this.#turn.then(() => this.#pull())
    this.#turn = turn.catch(() => {})
    return turn
  }

  async return(): Promise<IteratorResult<SessionSnapshot, undefined>> {
    this.#close()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<SessionSnapshot, undefined>> {
    this.#close()
    throw error
  }

  readonly #onAbort = () => this.#close()

  #close(): void {
    this.#closed = true
    this.#waiting = []
    this.#followers.delete(this)
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#wake?.()
  }

  async #pull(): Promise<IteratorResult<SessionSnapshot, undefined>> {
    try {
      if (!this.#started) await this.#start()
      while (!this.#closed && this.#waiting.length === 0 && !this.#complete) {
        await new Promise<void>((resolve) => (this.#wake = resolve))
        this.#wake = null
      }
    } catch (error) {
      this.#close()
      throw error
    }
    const snapshot = this.#waiting.shift()
    if (!snapshot || this.#closed) {
      this.#close()
      return { done: true, value: undefined }
    }
    if (this.#sessionId !== null && isEnded(snapshot.status)) this.#complete = true
    return { done: false, value: snapshot }
  }

  async #start(): Promise<void> {
    this.#started = true
    if (this.#signal.aborted) return this.#close()
    this.#signal.addEventListener('abort', this.#onAbort)
    this.#followers.add(this)
    const present = await this.#now()
    const changed = this.#waiting
    // A change that arrived meanwhile is newer than the present that was asked for: it alone is told.
    this.#waiting = [...present.filter((snapshot) => !changed.some(({ id }) => id === snapshot.id)), ...changed]
  }
}
