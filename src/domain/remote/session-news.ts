import { Deadline } from '../../async/deadline.ts'
import type { Bus } from '../../ports/machines/bus.ts'

/** Wake-ups make up for most of it. */
const POLL_MS = 500

/**
 * Wake-ups of a session, for whoever waits for something of it. One subscription for all of the wait: each new one is
 * confirmed by a wake-up, so that a wait with a new one each time would read the session over and over.
 */
export class SessionNews implements Disposable {
  readonly #unsubscribe: () => void
  #news = Promise.withResolvers<void>()

  constructor(bus: Pick<Bus, 'subscribe'>, sessionId: string) {
    this.#unsubscribe = bus.subscribe(sessionId, () => this.#news.resolve())
  }

  /** Resolves when there were news since it resolved last, after a while, or when the signal is aborted. */
  async next(signal: AbortSignal): Promise<void> {
    await Deadline.isMet(this.#news.promise, POLL_MS, signal)
    this.#news = Promise.withResolvers()
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }
}
