/** A request's issue, for example, is reported after its end, but not long after. */
const MAX_REMEMBERED = 2_000
/** Most waiters for requests that other processes of the browser have reported first. */
const MAX_WAITING = 100

/** Numbers of requests within their session, by the browser's ids. */
export class RequestNumbers {
  readonly #numbers = new Map<string, number>()
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>()
  #last = 0

  /** The number of a new request. */
  next(): number {
    return ++this.#last
  }

  note(browserId: string, requestId: number): void {
    this.#numbers.delete(browserId)
    this.#numbers.set(browserId, requestId)
    const [oldest] = this.#numbers.keys()
    if (oldest !== undefined && this.#numbers.size > MAX_REMEMBERED) this.#numbers.delete(oldest)
    this.#waiting.get(browserId)?.resolve()
    this.#waiting.delete(browserId)
  }

  /** Null: it is not known (any more, or yet). */
  of(browserId: string): number | null {
    return this.#numbers.get(browserId) ?? null
  }

  /** Resolves once the request is known; at once if there are too many waiters. */
  known(browserId: string): Promise<void> {
    if (this.#numbers.has(browserId) || this.#waiting.size >= MAX_WAITING) return Promise.resolve()
    const waiting = this.#waiting.get(browserId) ?? Promise.withResolvers<void>()
    this.#waiting.set(browserId, waiting)
    return waiting.promise
  }

  /** Stops waiting for it. */
  giveUp(browserId: string): void {
    this.#waiting.get(browserId)?.resolve()
    this.#waiting.delete(browserId)
  }
}
