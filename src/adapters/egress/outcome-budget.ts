/** A page may make connections fail as fast as it can: so many outcomes at once, … */
const BURST = 1_000
/** … and so many a second are told; the others are counted. */
const PER_SECOND = 200

export class OutcomeBudget {
  #left = BURST
  #filledAt = performance.now()
  #unreported = 0

  /** How many have not been told so far. */
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
