/** A holder of pieces of an unfinished message. */
export interface MessageHolder {
  /** Frees the pieces: the message counts as too large. */
  giveUp(): void
}

/**
 * The memory budget shared by the unfinished messages of all browsers. The largest gives way, never another browser's
 * small one.
 */
export class UnfinishedMessages {
  readonly #limit: number
  readonly #held = new Map<MessageHolder, number>()
  #total = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get bytes(): number {
    return this.#total
  }

  /** `holder` now holds `bytes` in all; 0: none. May call `giveUp` of any holder. */
  hold(holder: MessageHolder, bytes: number): void {
    this.#total += bytes - (this.#held.get(holder) ?? 0)
    if (bytes === 0) this.#held.delete(holder)
    else this.#held.set(holder, bytes)
    while (this.#total > this.#limit) this.#giveUpLargest()
  }

  #giveUpLargest(): void {
    let largest: MessageHolder | null = null
    let max = 0
    for (const [holder, bytes] of this.#held) {
      if (bytes <= max) continue
      largest = holder
      max = bytes
    }
    if (!largest) return
    this.hold(largest, 0)
    largest.giveUp()
  }
}
