import type { Logger } from 'pino'
import { StoreUnavailable } from '../../../ports/store/store-errors.ts'

const FIRST_DELAY_MS = 50
const LAST_DELAY_MS = 2000

/**
 * Retries calls to the store with back-off for as long as it is unavailable, or until it is given up. Any other error
 * is thrown to the caller: a retry would not change it. Not p-retry: a pause can be cut short (`hurry`), and giving
 * up is not an error.
 */
export class StoreRetry {
  readonly #logger: Logger
  readonly #givenUp = new AbortController()
  #isFailing = false
  #endPause: (() => void) | null = null

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Whether the last call failed. */
  get isFailing(): boolean {
    return this.#isFailing
  }

  /** Null if it was given up in the meantime. Rejects with any error but StoreUnavailable. */
  async untilAnswered<T>(call: () => Promise<T>): Promise<T | null> {
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LAST_DELAY_MS)) {
      try {
        const answer = await call()
        this.#isFailing = false
        return answer
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        if (!this.#isFailing) this.#logger.error({ err: error }, 'the store failed; the log waits for it')
        this.#isFailing = true
      }
      if (!(await this.pause(delayMs))) return null
    }
  }

  giveUp(): void {
    this.#givenUp.abort()
  }

  /** Ends a pause, so that the next attempt is made immediately. */
  hurry(): void {
    this.#endPause?.()
  }

  /** False if it was given up in the meantime. */
  pause(delayMs: number = FIRST_DELAY_MS): Promise<boolean> {
    const { signal } = this.#givenUp
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false)
      const done = () => {
        clearTimeout(timer)
        this.#endPause = null
        signal.removeEventListener('abort', done)
        resolve(!signal.aborted)
      }
      const timer = setTimeout(done, delayMs)
      this.#endPause = done
      signal.addEventListener('abort', done)
    })
  }
}
