/** Larger than the number of messages of one sender that can overtake each other. */
const MAX_KEPT = 2_048

/** The numbers of the messages of one sender that have arrived: none is new twice, however long ago it was. */
export class ReceivedNumbers {
  readonly #kept = new Set<number>()
  /** It and all below count as received. */
  #floor = 0

  /** False: it was received before, or may have been. */
  isNew(number: number): boolean {
    if (!Number.isSafeInteger(number) || number <= this.#floor || this.#kept.has(number)) return false
    this.#kept.add(number)
    if (this.#kept.size > MAX_KEPT) {
      // They arrive in their order, more or less.
      const [oldest] = this.#kept
      this.#kept.delete(oldest!)
      this.#floor = Math.max(this.#floor, oldest!)
    }
    return true
  }
}
