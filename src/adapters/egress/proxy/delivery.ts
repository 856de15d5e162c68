import { Deadline } from '../../../async/deadline.ts'

/** A server that is too busy to respond must not hide a failure from a page. */
const MAX_MS = 500

/**
 * Reports whether the server has handled earlier messages. Messages are delivered in order, so the response to a
 * question follows everything sent before it.
 */
export class Delivery {
  readonly #ask: (number: number) => void
  readonly #waiting = new Map<number, () => void>()
  #last = 0

  /** `ask` sends a question; its response calls `answered` with the same number. */
  constructor(ask: (number: number) => void) {
    this.#ask = ask
  }

  answered(number: number): void {
    this.#waiting.get(number)?.()
  }

  /** Resolves when everything sent so far has been handled, or after a timeout. Never rejects. */
  async confirmed(): Promise<void> {
    const number = ++this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.set(number, resolve)
    this.#ask(number)
    await Deadline.isMet(promise, MAX_MS)
    this.#waiting.delete(number)
  }
}
