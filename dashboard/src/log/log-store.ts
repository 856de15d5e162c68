import { Changes } from '../base/changes.ts'

/** One message of a log subscription. */
export interface LogBatch<Entry> {
  readonly entries: readonly Entry[]
  readonly cursor: string
  readonly live: boolean
  readonly dropped: number
  /** Whether an unknown number of entries is missing. */
  readonly droppedUnknown: boolean
}

/**
 * The entries received from one log, in order. Batches are appended; nothing is ever changed or removed, so readers
 * can remember their position. Readers are notified once per frame, regardless of the number of batches.
 */
export class LogStore<Entry extends { readonly sequence: number }> {
  readonly changes = new Changes()
  readonly entries: Entry[] = []
  /** Cursor to resume after all entries received so far. */
  cursor: string | null = null
  /** Whether the end of the log has been reached once. */
  live = false
  /** Whether the session has ended and all entries were delivered. */
  complete = false
  /** Number of entries that the server could not record. */
  dropped = 0
  droppedUnknown = false
  /** Human-readable reason why nothing more will arrive. */
  problem: string | null = null

  /** Appends the new entries of a batch; entries sent again after a reconnect are skipped. */
  append(batch: LogBatch<Entry>): void {
    let last = this.entries.at(-1)?.sequence ?? 0
    for (const entry of batch.entries) {
      if (entry.sequence <= last) continue
      this.entries.push(entry)
      last = entry.sequence
    }
    this.cursor = batch.cursor
    this.dropped += batch.dropped
    this.droppedUnknown ||= batch.droppedUnknown
    this.live ||= batch.live
    this.problem = null
    this.changes.notify()
  }

  finish(): void {
    this.complete = true
    this.live = true
    this.changes.notify()
  }

  fail(problem: string): void {
    this.problem = problem
    this.changes.notify()
  }
}
