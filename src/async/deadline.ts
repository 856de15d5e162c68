import { setImmediate } from 'node:timers'

/** The maximum delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * A time limit, combined with the signals that end the wait early. Waiting for work under it never cancels the work:
 * that is up to the code that receives the signal. The rejection of abandoned work is handled here.
 *
 * A process that was suspended past the expiry handles pending I/O before it gives up: expiry takes one more turn of
 * the event loop, so that a result that arrived in time still counts.
 */
export class Deadline implements Disposable {
  /** Aborted at expiry, or with the reason of the first of the given signals. */
  readonly signal: AbortSignal
  readonly #expiry = new AbortController()
  readonly #expiresAt: number
  readonly #timer: NodeJS.Timeout | undefined
  #lastTurn: NodeJS.Immediate | undefined

  /** `ms`: Infinity for no limit but the signals. `reason`: the abort reason of the signal at expiry. */
  constructor(ms: number, signals: readonly AbortSignal[] = [], reason: () => unknown = () => timedOut(ms)) {
    this.#expiresAt = performance.now() + ms
    this.signal = AbortSignal.any([this.#expiry.signal, ...signals])
    if (ms === Number.POSITIVE_INFINITY) return
    const expire = () => {
      this.#lastTurn = setImmediate(() => this.#expiry.abort(reason()))
    }
    this.#timer = setTimeout(expire, Math.min(Math.max(0, ms), MAX_TIMER_MS))
  }

  /** The result of the work, or null if it takes longer. */
  static async result<T>(work: Promise<T>, ms: number, ...signals: AbortSignal[]): Promise<T | null> {
    using deadline = new Deadline(ms, signals)
    return await deadline.result(work)
  }

  /** Whether the work completes in time. */
  static async isMet(work: Promise<unknown>, ms: number, ...signals: AbortSignal[]): Promise<boolean> {
    using deadline = new Deadline(ms, signals)
    return await deadline.isMet(work)
  }

  /** Waits for the work as long as the signal is not aborted; then rejects with its reason. */
  static async race<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    using deadline = new Deadline(Number.POSITIVE_INFINITY, [signal])
    return await deadline.race(work)
  }

  /** Whether the time ran out before any of the signals was aborted. */
  get hasExpired(): boolean {
    return this.#expiry.signal.aborted && this.signal.reason === this.#expiry.signal.reason
  }

  /** Milliseconds until expiry; never negative. 0 once it has expired: a timer may be a moment early. */
  get remainingMs(): number {
    return this.#expiry.signal.aborted ? 0 : Math.max(0, this.#expiresAt - performance.now())
  }

  /** The result of the work. Rejects with the signal's reason if it is aborted first, or was already. */
  async race<T>(work: Promise<T>): Promise<T> {
    const outcome = await this.#outcomeOf(work)
    if (!outcome) throw this.signal.reason
    return outcome.result
  }

  /** The result of the work, or null if the signal is aborted first, or was already. */
  async result<T>(work: Promise<T>): Promise<T | null> {
    const outcome = await this.#outcomeOf(work)
    return outcome && outcome.result
  }

  /** Whether the work is done before the signal is aborted. */
  async isMet(work: Promise<unknown>): Promise<boolean> {
    return (await this.#outcomeOf(work)) !== null
  }

  /** Stops the timer; the signal no longer expires. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#lastTurn)
  }

  async #outcomeOf<T>(work: Promise<T>): Promise<{ result: T } | null> {
    const { promise: givenUp, resolve } = Promise.withResolvers<null>()
    const giveUp = () => resolve(null)
    if (this.signal.aborted) giveUp()
    else this.signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await Promise.race([givenUp, work.then((result) => ({ result }))])
    } finally {
      this.signal.removeEventListener('abort', giveUp)
    }
  }
}

const timedOut = (ms: number) => new DOMException(`Timed out after ${ms} ms.`, 'TimeoutError')
