import type { Writable } from 'node:stream'

/** Tells when a browser does not read as fast as it is written to. */
export class PipeCongestion {
  readonly #input: Writable
  /** One for all who wait: a listener for each would be more than Node takes for no leak. */
  #easing: Promise<void> | null = null

  constructor(input: Writable) {
    this.#input = input
  }

  /** Null: there is none. Else resolves when the browser has caught up, or is gone. */
  whenEased(): Promise<void> | null {
    if (!this.#input.writableNeedDrain) return null
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
