import { Changes } from './changes.ts'

/** One message of a subscription to a log. */
export interface LogBatch<Entry> {
  readonly entries: readonly Entry[]
  readonly cursor: string
  readonly live: boolean
  readonly dropped: number
  /** Entries are missing of which nobody knows how many. */
  readonly droppedUnknown: boolean
}

/**
 * What has arrived of one log, in its order. Batches are appended; nothing is ever changed or taken out, so a reader may
 * remember how far it has read. Readers are told once a frame, however many batches came.
 */
export class LogStore<Entry extends { readonly sequence: number }> {
  readonly changes = new Changes()
  readonly entries: Entry[] = []
  /** Where to go on after everything that is here. */
  cursor: string | null = null
  /** The end of the log was reached once. */
  live = false
  /** The session has ended and everything was delivered. */
  complete = false
  /** What the server could not record. */
  dropped = 0
  droppedUnknown = false
  /** Why nothing more will come, for people. */
  problem: string | null = null

  /** Takes what is new in a batch: what was sent twice, because a connection broke between, is here once. */
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
    this.changes.tell()
  }

  finish(): void {
    this.complete = true
    this.live = true
    this.changes.tell()
  }

  fail(problem: string): void {
    this.problem = problem
    this.changes.tell()
  }
}
