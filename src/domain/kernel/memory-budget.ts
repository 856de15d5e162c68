/**
 * Bytes that the server keeps for all clients of the browser's protocol together, through other machines too: of messages
 * that were received and not handed on, and of those that wait to be read. Each connection alone may have 64 MiB of either, which the largest files
 * and results need: this is what four of them have at their limits.
 */
export const CLIENT_MEMORY_BYTES = 512 * 1024 * 1024

/** Of one message of a client. Chromium accepts messages of up to 100 MB; files that a test uploads are the largest in practice. */
export const CLIENT_MESSAGE_BYTES = 64 * 1024 * 1024

/** A connection, of which the server keeps something. */
export interface MemoryHolder {
  readonly heldBytes: number
  /** All hold too much together, and this one the most. It is closed, and forgotten then. */
  closeForMemory(): void
}

/** One budget for the memory of many connections. Beyond it those that hold the most are closed. */
export class MemoryBudget {
  readonly #limit: number
  /** As of when each was last looked at. */
  readonly #held = new Map<MemoryHolder, number>()
  /** Those that are being closed: their memory is free soon. */
  readonly #closing = new Set<MemoryHolder>()
  #total = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** It holds more than before. What one no longer holds is noticed when there is too much. */
  note(holder: MemoryHolder): void {
    this.#look(holder)
    if (this.#total <= this.#limit) return
    for (const one of this.#held.keys()) this.#look(one)
    while (this.#total - this.#closingBytes > this.#limit) {
      const largest = this.#largest()
      if (!largest) return
      this.#closing.add(largest)
      largest.closeForMemory()
    }
  }

  /** It is closed. */
  forget(holder: MemoryHolder): void {
    this.#total -= this.#held.get(holder) ?? 0
    this.#held.delete(holder)
    this.#closing.delete(holder)
  }

  #look(holder: MemoryHolder): void {
    const bytes = holder.heldBytes
    this.#total += bytes - (this.#held.get(holder) ?? 0)
    this.#held.set(holder, bytes)
  }

  get #closingBytes(): number {
    return [...this.#closing].reduce((sum, holder) => sum + this.#held.get(holder)!, 0)
  }

  #largest(): MemoryHolder | null {
    let largest: MemoryHolder | null = null
    for (const [holder, bytes] of this.#held) {
      if (!this.#closing.has(holder) && (!largest || bytes > this.#held.get(largest)!)) largest = holder
    }
    return largest
  }
}
