/**
 * Base of async iterators whose reader decides when the next value is made, and who are told of news meanwhile.
 *
 * Written by hand, because `return()` of an async generator waits for the `await` it is in; these free everything at once,
 * also when their signal is aborted.
 */
export abstract class PulledStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #signal: AbortSignal
  #hasBegun = false
  #hasEnded = false
  #hasNews = false
  #wake: (() => void) | null = null
  /** Of the reader: one value is made at a time, however many are asked for. */
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

  /** The reader gets no more, and waits for nothing. */
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

  /** Called once, when the reader asks for the first value. */
  protected abstract begin(): Promise<void> | void

  /** Makes the next value; null: there is none any more. Not called after the end. */
  protected abstract pull(): Promise<T | null>

  /** Lets go of everything. Called once, at the end, even where it never began. */
  protected abstract free(): void

  /** There is something new: who waits for that looks again. */
  protected wake(): void {
    this.#hasNews = true
    this.#wake?.()
  }

  /** Call before looking at the present, so that `untilNews` waits for what comes after. */
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
      // What was broken off because the reader has left is no failure.
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
