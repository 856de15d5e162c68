import { Deadline } from '../../async/deadline.ts'

/** A server that is too busy to answer must not keep a page from its failure. */
const MOST_MS = 500

/**
 * Tells whether the server has handled what it was sent. Messages keep their order, so the answer to a question comes
 * after all that was sent before it.
 */
export class Delivery {
  readonly #ask: (number: number) => void
  readonly #waiting = new Map<number, () => void>()
  #last = 0

  /** `ask` sends a question, whose answer calls `answered` with its number. */
  constructor(ask: (number: number) => void) {
    this.#ask = ask
  }

  answered(number: number): void {
    this.#waiting.get(number)?.()
  }

  /** Resolves when all that was sent by now has been handled, or after a while. Never rejects. */
  async confirmed(): Promise<void> {
    const number = ++this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.set(number, resolve)
    this.#ask(number)
    await Deadline.isMet(promise, MOST_MS)
    this.#waiting.delete(number)
  }
}
