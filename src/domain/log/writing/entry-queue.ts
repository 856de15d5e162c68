import type { EntryDraft, LogEntry } from '../../../ports/log/log-entry.ts'
import type { SessionPatch } from '../../../ports/sessions/session-record.ts'
import type { DroppedEntries } from './dropped-entries.ts'
import type { LogLimits } from './log-limits.ts'
import { approximateSize } from '../entries/entry-size.ts'

export interface Queued {
  draft: EntryDraft
  size: number
  /** Committed in one transaction with the entry (guarantee 10). */
  patch: SessionPatch | null
}

/**
 * A batch blocks those of other sessions in an embedded database: 200 entries for 5 ms, 1,000 for 15 to 55, and no
 * burst was faster.
 */
const BATCH = { entries: 200, bytes: 512 * 1024 }
/** A cut log ends in one batch: actions of callers, which are never dropped, and the final status. */
const LAST_BATCH = { entries: 5_000, bytes: 2 * 1024 * 1024 }
const MARKER_SIZE = 256

/** Entries of one session that wait to be committed, in order. */
export class EntryQueue {
  readonly #limits: Pick<LogLimits, 'maxQueuedEntries' | 'maxQueuedBytes'>
  #entries: Queued[] = []
  #bytes = 0

  constructor(limits: Pick<LogLimits, 'maxQueuedEntries' | 'maxQueuedBytes'>) {
    this.#limits = limits
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** Whether there is at least a full batch. */
  get hasBatch(): boolean {
    return this.#entries.length >= BATCH.entries || this.#bytes >= BATCH.bytes
  }

  /** Drafts of the waiting entries. */
  get drafts(): EntryDraft[] {
    return this.#entries.map(({ draft }) => draft)
  }

  /** Whether an entry of that size would exceed the share of the limits. */
  isFull(size: number, share: number): boolean {
    const { maxQueuedEntries, maxQueuedBytes } = this.#limits
    return this.#entries.length >= maxQueuedEntries * share || this.#bytes + size > maxQueuedBytes * share
  }

  push(queued: Queued): void {
    this.#entries.push(queued)
    this.#bytes += queued.size
  }

  /** Whatever the limits are. */
  pushMarker(draft: EntryDraft<'ENTRIES_DROPPED'>): void {
    this.push({ draft, size: MARKER_SIZE, patch: null })
  }

  /** Takes the next batch. `isLast`: of a cut log. */
  take(isLast: boolean): Queued[] {
    const most = isLast ? LAST_BATCH : BATCH
    let count = 0
    let bytes = 0
    while (count < this.#entries.length && count < most.entries && bytes < most.bytes) {
      bytes += this.#entries[count]!.size
      count += 1
    }
    this.#bytes -= bytes
    return this.#entries.splice(0, count)
  }

  /** Puts a batch back in front, as it was queued, but without its patches. */
  putBack(batch: readonly LogEntry[]): void {
    const again = batch.map((entry) => ({ draft: entry, size: approximateSize(entry.data), patch: null }))
    this.#replace([...again, ...this.#entries])
  }

  /**
   * Keeps the entries that must not be dropped; a marker before a waiting final status counts the rest. Returns how many
   * fewer entries wait.
   */
  cut(dropped: DroppedEntries): number {
    const kept = dropped.takeFrom(this.#entries)
    if (dropped.count > 0) {
      const final = kept.findIndex(({ draft }) => draft.kind === 'STATUS_CHANGE')
      const marker = { draft: dropped.toDraft(Date.now()), size: MARKER_SIZE, patch: null }
      kept.splice(final < 0 ? kept.length : final, 0, marker)
    }
    const fewer = this.#entries.length - kept.length
    this.#replace(kept)
    return fewer
  }

  clear(): void {
    this.#replace([])
  }

  #replace(entries: Queued[]): void {
    this.#entries = entries
    this.#bytes = entries.reduce((sum, { size }) => sum + size, 0)
  }
}
