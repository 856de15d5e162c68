import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Store } from '../ports/store.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const ROUND_MS = 60 * 60 * 1000
/** Between two small steps everyone else gets a turn at the database (law 11). */
const STEP_PAUSE_MS = 50

/** Deletes sessions that ended longer ago than the retention, in small steps, now and once an hour. */
export class Retention {
  readonly #store: Store
  readonly #days: number
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  /** days 0: sessions are kept for ever; expired sign-in keys are deleted all the same. */
  constructor(store: Store, days: number, logger: Logger) {
    this.#store = store
    this.#days = days
    this.#logger = logger
  }

  start(): void {
    this.#running = this.#rounds()
  }

  /** Deletes all that is due now. */
  async sweep(now: number): Promise<void> {
    await this.#store.deleteExpiredApiKeys(now)
    if (this.#days === 0) return
    while (!this.#stop.signal.aborted && (await this.#store.deleteEndedBefore(now - this.#days * DAY_MS))) {
      await this.#pause(STEP_PAUSE_MS)
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #rounds(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.sweep(Date.now())
      } catch (error) {
        this.#logger.error({ err: error }, 'old sessions could not be deleted; it is tried again in an hour')
      }
      await this.#pause(ROUND_MS)
    }
  }

  async #pause(ms: number): Promise<void> {
    // Rejects when aborted, which is just the end of the pause.
    await pause(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {})
  }
}
