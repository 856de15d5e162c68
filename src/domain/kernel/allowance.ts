import { LRUCache } from 'lru-cache'

/** Max burst, and how fast it is replenished. */
export interface Rate {
  burst: number
  perSecond: number
}

/** A token bucket: holds the max burst, and refills at a steady rate. */
export class Allowance {
  readonly perSecond: number
  readonly #burst: number
  #left: number
  #at = performance.now()

  constructor({ burst, perSecond }: Rate) {
    this.#burst = burst
    this.perSecond = perSecond
    this.#left = burst
  }

  take(): boolean {
    const now = performance.now()
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.perSecond)
    this.#at = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }

  refund(): void {
    this.#left = Math.min(this.#burst, this.#left + 1)
  }

  /** Until the next one is allowed, if none is now. */
  get retryAfterSeconds(): number {
    return Math.max(1, Math.ceil(1 / this.perSecond))
  }
}

/** An allowance per address; the least recently used ones are forgotten. */
export class AllowancesByAddress {
  readonly #rate: Rate
  readonly #allowances: LRUCache<string, Allowance>

  constructor(rate: Rate, remembered: number) {
    this.#rate = rate
    this.#allowances = new LRUCache({ max: remembered })
  }

  of(address: string): Allowance {
    let own = this.#allowances.get(address)
    if (!own) {
      own = new Allowance(this.#rate)
      this.#allowances.set(address, own)
    }
    return own
  }
}
