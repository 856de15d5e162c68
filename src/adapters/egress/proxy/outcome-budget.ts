/** Pages may cause outcomes at any rate: this many are reported at once, … */
const BURST = 1_000
/** … and this many per second; the rest is counted. */
const PER_SECOND = 200

export class OutcomeBudget {
  #left = BURST
  #filledAt = performance.now()
  #unreported = 0

  /** Number of outcomes not reported so far. */
  get unreported(): number {
    return this.#unreported
  }

  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(BURST, this.#left + ((now - this.#filledAt) / 1000) * PER_SECOND)
    this.#filledAt = now
    if (this.#left < 1) {
      this.#unreported += 1
      return false
    }
    this.#left -= 1
    return true
  }
}
