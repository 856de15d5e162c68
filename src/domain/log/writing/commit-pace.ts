/**
 * Minimum time between two batches of one log when nothing is urgent. Measured on two cores, with page, browser,
 * server and embedded database sharing them during a burst of 10,000 lines: 150 to 420 batches of a few lines each
 * took as long as everything else, and a pace of 5, 8 or 16 ms made no difference. Short enough not to delay lines at
 * 100 a second.
 */
const GATHERING_MS = 8

/** Lets entries in quick succession gather into one batch. The first entry after a pause is not delayed. */
export class CommitPace {
  readonly #isDue: () => boolean
  #takenAt = -Infinity
  #proceed: (() => void) | null = null

  /** `isDue`: whether the next batch may be taken immediately. */
  constructor(isDue: () => boolean) {
    this.#isDue = isDue
  }

  /** Resolves when the next batch is to be taken. */
  async next(): Promise<void> {
    const left = this.#takenAt + GATHERING_MS - performance.now()
    if (left > 0 && !this.#isDue()) await this.#pause(left)
    this.#takenAt = performance.now()
  }

  /** Call when a batch may have become due. */
  look(): void {
    if (this.#proceed && this.#isDue()) this.#proceed()
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#proceed = () => {
        clearTimeout(timer)
        this.#proceed = null
        resolve()
      }
      const timer = setTimeout(this.#proceed, milliseconds)
    })
  }
}
