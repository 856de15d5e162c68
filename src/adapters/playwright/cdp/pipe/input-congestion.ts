import type { Writable } from 'node:stream'

/** Whether a browser reads as fast as it is written to. */
export class InputCongestion {
  readonly #input: Writable
  #easing: Promise<void> | null = null

  constructor(input: Writable) {
    this.#input = input
  }

  /** Null: there is none. Else resolves when the browser has caught up, or is gone. */
  easing(): Promise<void> | null {
    if (!this.#input.writableNeedDrain) return null
    // One for all guests: a listener for each would be more than Node takes for no leak.
    this.#easing ??= new Promise((resolve) => {
      const settle = () => {
        this.#input.off('drain', settle).off('close', settle)
        this.#easing = null
        resolve()
      }
      this.#input.once('drain', settle).once('close', settle)
    })
    return this.#easing
  }
}
