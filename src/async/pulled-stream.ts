/**
 * Base of async iterators that produce values on demand and are notified of news meanwhile.
 *
 * Not an async generator, because its `return()` waits for the pending `await`; these release everything at once, also
 * when their signal is aborted.
 */
export abstract class PulledStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #signal: AbortSignal
  #hasBegun = false
  #hasEnded = false
  #hasNews = false
  #wake: (() => void) | null = null
  /** Reads are serialized: one value is produced at a time, however many are requested. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const turn = this.#turn.then(() => this.#pull())
    this.#turn = turn.catch(() => {})
    return turn
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.end()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    this.end()
    throw error
  }

  /** The reader receives nothing more, and waits for nothing. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.free()
    this.#wake?.()
  }

  /** Whether it has ended, by its reader, its signal or itself. */
  protected get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Called once, when the first value is requested. */
  protected abstract begin(): Promise<void> | void

  /** Produces the next value; null: the end. Not called after the end. */
  protected abstract pull(): Promise<T | null>

  /** Releases everything. Called once, at the end, even if nothing was ever read. */
  protected abstract free(): void

  /** There is news: a waiting reader checks again. */
  protected wake(): void {
    this.#hasNews = true
    this.#wake?.()
  }

  /** Call before checking the current state, so that `untilNews` waits for later news. */
  protected forgetNews(): void {
    this.#hasNews = false
  }

  /** Resolves at the next news, at once if there was some since `forgetNews`; at the end; or after the time. */
  protected async untilNews(ms: number = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#hasNews || this.#hasEnded) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
    this.#wake = null
  }

  readonly #onAbort = () => this.end()

  async #pull(): Promise<IteratorResult<T, undefined>> {
    try {
      if (!this.#hasBegun) await this.#begin()
      const value = this.#hasEnded ? null : await this.pull()
      if (value !== null && !this.#hasEnded) return { done: false, value }
    } catch (error) {
      // Work that was aborted because the reader has left did not fail.
      const isExpected = this.#hasEnded
      this.end()
      if (!isExpected) throw error
    }
    this.end()
    return { done: true, value: undefined }
  }

  async #begin(): Promise<void> {
    this.#hasBegun = true
    if (this.#hasEnded) return
    if (this.#signal.aborted) return this.end()
    this.#signal.addEventListener('abort', this.#onAbort)
    await this.begin()
  }
}
