import type { LogEntry } from '../../../ports/log/log-entry.ts'

/**
 * The last committed entries of one session, kept in memory so that live readers do not query the store (guarantee
 * 5). Bounded in entries and bytes; dense like the log, so the index of a sequence is computed. Not lru-cache or the
 * like: those evict by use, one entry at a time, and would leave gaps.
 */
export class LogTail {
  readonly #maxEntries: number
  readonly #maxBytes: number
  #entries: LogEntry[] = []
  #sizes: number[] = []
  /** Index of the oldest kept entry: evicted ones are removed in bulk now and then, not one by one. */
  #start = 0
  #bytes = 0

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  /** The entry's sequence must follow the last one's. */
  push(entry: LogEntry, size: number): void {
    this.#entries.push(entry)
    this.#sizes.push(size)
    this.#bytes += size
    while (this.#entries.length - this.#start > this.#maxEntries || this.#bytes > this.#maxBytes) {
      if (this.#start === this.#entries.length) break
      this.#bytes -= this.#sizes[this.#start]!
      this.#start += 1
    }
    if (this.#start > 1024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start)
      this.#sizes = this.#sizes.slice(this.#start)
      this.#start = 0
    }
  }

  /**
   * Entries after the sequence, at most `limit` and about `maxBytes` (but at least one); null if older than the tail.
   */
  readAfter(sequence: number, limit: number, maxBytes: number): LogEntry[] | null {
    const oldest = this.#entries[this.#start]
    if (!oldest || sequence + 1 < oldest.sequence) return null
    const from = this.#start + (sequence + 1 - oldest.sequence)
    let to = from
    let bytes = 0
    while (to < this.#entries.length && to - from < limit && (to === from || bytes + this.#sizes[to]! <= maxBytes)) {
      bytes += this.#sizes[to]!
      to += 1
    }
    return this.#entries.slice(from, to)
  }
}
