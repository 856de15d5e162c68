/** An issue of a request, say, is told after its end, but not long after. */
const MOST_REMEMBERED = 2_000

/** Numbers of requests within their session, by the browser's ids. */
export class RequestNumbers {
  readonly #numbers = new Map<string, number>()

  note(browserId: string, requestId: number): void {
    this.#numbers.delete(browserId)
    this.#numbers.set(browserId, requestId)
    const [oldest] = this.#numbers.keys()
    if (oldest !== undefined && this.#numbers.size > MOST_REMEMBERED) this.#numbers.delete(oldest)
  }

  /** Null: it is not known (any more). */
  of(browserId: string): number | null {
    return this.#numbers.get(browserId) ?? null
  }
}
