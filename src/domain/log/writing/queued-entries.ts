import type { EntryDraft, LogEntry } from '../../../ports/log-entry.ts'
import type { SessionPatch } from '../../../ports/session-record.ts'
import type { DroppedEntries } from './dropped-entries.ts'
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

/** Whether that is at least a full batch. */
export const isBatch = (entries: number, bytes: number): boolean => entries >= BATCH.entries || bytes >= BATCH.bytes

/** Takes the next batch from the queue. */
export function takeBatch(queue: Queued[], isCut: boolean): { taken: Queued[]; bytes: number } {
  const most = isCut ? LAST_BATCH : BATCH
  let count = 0
  let bytes = 0
  while (count < queue.length && count < most.entries && bytes < most.bytes) {
    bytes += queue[count]!.size
    count += 1
  }
  return { taken: queue.splice(0, count), bytes }
}

/** Keeps the waiting entries that must not be dropped; a marker before a waiting final status counts the rest. */
export function cutQueue(queue: readonly Queued[], dropped: DroppedEntries): Queued[] {
  const kept = dropped.takeFrom(queue)
  if (dropped.count === 0) return kept
  const final = kept.findIndex(({ draft }) => draft.kind === 'STATUS_CHANGE')
  kept.splice(final < 0 ? kept.length : final, 0, {
    draft: dropped.toDraft(Date.now()),
    size: MARKER_SIZE,
    patch: null,
  })
  return kept
}

/** The entry as it was queued. */
export const queuedAgain = (entry: LogEntry): Queued => ({
  draft: entry,
  size: approximateSize(entry.data),
  patch: null,
})

export const MARKER_SIZE = 256
