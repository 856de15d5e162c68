import type { Logger } from 'pino'
import { bound } from '../../fault-owner.ts'
import type { SessionClock } from './timeouts.ts'
import { Deadline } from '../../async/deadline.ts'

/** How long the end of a session waits for what goes on in it to notice. */
const SETTLE_MS = 5000
/** Of what is left when the server is going down. */
const HASTE = 0.2

/** What goes on in a session. */
export class InFlightWork {
  readonly #clock: SessionClock
  readonly #logger: Logger
  /** Whoever asked for it, it is the session's. */
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

  /** As begin, for work during which the session may be idle. */
  beginIdle(work: () => Promise<void>): void {
    this.#track(work, () => {})
  }

  /** Resolves when all is done, or after a while, which is a share of what is left until then; never rejects. */
  async settle(until: number): Promise<void> {
    if (this.#works.size === 0) return
    const left = Math.max(0, until - performance.now())
    await Deadline.isMet(Promise.all(this.#works), Math.min(SETTLE_MS, left * HASTE))
  }

  #track(work: () => Promise<void>, done: () => void): void {
    const tracked = this.#start(work)
      .catch((error: unknown) => this.#logger.error({ err: error }, 'what went on in a session failed'))
      .finally(() => {
        this.#works.delete(tracked)
        done()
      })
    this.#works.add(tracked)
  }
}
