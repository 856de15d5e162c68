import type { Writable } from 'node:stream'

/** Whether a browser reads as fast as we write. */
export class InputCongestion {
  readonly #input: Writable
  #easing: Promise<void> | null = null

  constructor(input: Writable) {
    this.#input = input
  }

  /** Null: there is no congestion. Otherwise resolves when the browser has caught up or is gone. */
  easing(): Promise<void> | null {
    if (!this.#input.writableNeedDrain) return null
    // Shared by all tenants: with a listener for each, Node would warn of a leak.
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
