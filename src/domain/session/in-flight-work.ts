import type { Logger } from 'pino'
import { bound } from '../../fault-owner.ts'
import type { SessionClock } from './timeouts.ts'
import { Deadline } from '../../async/deadline.ts'

/** How long the end of a session waits for its work to notice. */
const SETTLE_MS = 5000
/** Share of the time left at server shutdown. */
const HASTE = 0.2

/** Work in progress in a session. */
export class InFlightWork {
  readonly #clock: SessionClock
  readonly #logger: Logger
  /** Its faults are the session's, regardless of the caller. */
  readonly #start = bound(async (work: () => Promise<void>) => work())
  readonly #works = new Set<Promise<void>>()

  constructor(clock: SessionClock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  begin(work: () => Promise<void>, done: () => void): void {
    const end = this.#clock.begin()
    this.#track(work, () => {
      end()
      done()
    })
  }

  /** Like begin, for work during which the session counts as idle. */
  beginIdle(work: () => Promise<void>): void {
    this.#track(work, () => {})
  }

  /** Resolves when all work is done, or after a share of the time left until then; never rejects. */
  async settle(until: number): Promise<void> {
    if (this.#works.size === 0) return
    const left = Math.max(0, until - performance.now())
    await Deadline.isMet(Promise.all(this.#works), Math.min(SETTLE_MS, left * HASTE))
  }

  #track(work: () => Promise<void>, done: () => void): void {
    const tracked = this.#start(work)
      .catch((error: unknown) => this.#logger.error({ err: error }, 'work in a session failed'))
      .finally(() => {
        this.#works.delete(tracked)
        done()
      })
    this.#works.add(tracked)
  }
}
