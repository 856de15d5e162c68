/**
 * Rejections that may still be handled; for a page with more unhandled ones, late handling of the oldest is not
 * recognized.
 */
const MAX_REMEMBERED = 1_000

/** Numbers the uncaught exceptions of one browser session, and maps their ids to the numbers. */
export class UncaughtExceptions {
  readonly #numbers = new Map<string, number>()
  #count = 0

  thrown(sessionId: string, exceptionId: number): number {
    this.#count += 1
    this.#numbers.set(`${sessionId}:${exceptionId}`, this.#count)
    const [oldest] = this.#numbers.keys()
    if (oldest !== undefined && this.#numbers.size > MAX_REMEMBERED) this.#numbers.delete(oldest)
    return this.#count
  }

  /** Its number; null: it is not known (any more). */
  handled(sessionId: string, exceptionId: number): number | null {
    const key = `${sessionId}:${exceptionId}`
    const number = this.#numbers.get(key) ?? null
    this.#numbers.delete(key)
    return number
  }
}
