/** How long a step whose time is up may take to say why: on a busy machine its own deadline is told a moment late. */
const GRACE_MS = 500

/**
 * Follows a step's signal: at once when the step is cancelled, a moment later when its time is up, so that Playwright
 * can still tell what it was waiting for.
 */
export class PatientSignal implements Disposable {
  readonly #controller = new AbortController()
  readonly #given: AbortSignal
  readonly #follow: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(given: AbortSignal, timeoutMs: number) {
    const timeUpAt = performance.now() + timeoutMs
    this.#given = given
    this.#follow = () => {
      const abort = () => this.#controller.abort(given.reason)
      // A timer may be early by a part of a millisecond.
      if (performance.now() >= timeUpAt - 5) this.#timer = setTimeout(abort, GRACE_MS)
      else abort()
    }
    if (given.aborted) this.#controller.abort(given.reason)
    else given.addEventListener('abort', this.#follow, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#given.removeEventListener('abort', this.#follow)
  }
}
