/** A signal that fires when one of others does, or when its time is up. Disposed of, it leaves nothing behind. */
export class LinkedSignal implements Disposable {
  readonly #controller = new AbortController()
  readonly #sources: readonly AbortSignal[]
  readonly #timer: NodeJS.Timeout | null
  #isTimeUp = false

  constructor(sources: readonly AbortSignal[], timeoutMs: number | null = null) {
    this.#sources = sources
    this.#timer = timeoutMs === null ? null : setTimeout(() => this.#timeIsUp(), timeoutMs)
    for (const source of sources) source.addEventListener('abort', this.#onAbort)
    const fired = sources.find(({ aborted }) => aborted)
    if (fired) this.#controller.abort(fired.reason)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether its own time was up before anything else fired. */
  get isTimeUp(): boolean {
    return this.#isTimeUp
  }

  [Symbol.dispose](): void {
    if (this.#timer) clearTimeout(this.#timer)
    for (const source of this.#sources) source.removeEventListener('abort', this.#onAbort)
  }

  readonly #onAbort = (event: Event) => this.#controller.abort((event.target as AbortSignal).reason)

  #timeIsUp(): void {
    this.#isTimeUp = !this.signal.aborted
    this.#controller.abort(new DOMException('The time is up.', 'TimeoutError'))
  }
}
