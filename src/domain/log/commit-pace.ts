/**
 * Least time between two batches of one log that nothing hurries. Measured on two cores, on which page, browser, server and
 * embedded database work on a burst of 10,000 lines at the same time: 150 to 420 batches of a few lines each took as long as
 * all else, and a pace of 5, 8 or 16 ms made no difference. Short enough that lines at 100 a second do not wait.
 */
const GATHERING_MS = 8

/** Lets entries gather that follow one another closely. What comes after a pause does not wait. */
export class CommitPace {
  readonly #isDue: () => boolean
  #takenAt = -Infinity
  #goOn: (() => void) | null = null

  /** `isDue`: whether the next batch may be taken, however soon it comes. */
  constructor(isDue: () => boolean) {
    this.#isDue = isDue
  }

  /** Resolves when the next batch is to be taken. */
  async next(): Promise<void> {
    const left = this.#takenAt + GATHERING_MS - performance.now()
    if (left > 0 && !this.#isDue()) await this.#pause(left)
    this.#takenAt = performance.now()
  }

  /** It may have become due. */
  look(): void {
    if (this.#goOn && this.#isDue()) this.#goOn()
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = () => {
        clearTimeout(timer)
        this.#goOn = null
        resolve()
      }
      const timer = setTimeout(this.#goOn, milliseconds)
    })
  }
}
