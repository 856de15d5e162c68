import type { Logger } from 'pino'
import type { EntryDraft, LogEntry } from '../../../ports/log/log-entry.ts'
import type { SessionPatch } from '../../../ports/sessions/session-record.ts'
import type { Store } from '../../../ports/store/store.ts'
import { DroppedEntries } from './dropped-entries.ts'

/** Where a log stopped that failed because of a fault in Tabwire. */
export interface FailedLog {
  sessionId: string
  lastSequence: number
  /** Entries that were waiting for the store at that time, and those that came later. */
  unrecorded: DroppedEntries
}

/** Counts entries that a failed log did not commit, apart from the final one, which is tried again. */
export function unrecordedOf(waiting: readonly EntryDraft[], final: EntryDraft | null): DroppedEntries {
  const unrecorded = new DroppedEntries('UNSTORABLE')
  for (const draft of waiting) {
    if (draft.kind === 'ENTRIES_DROPPED') unrecorded.include(draft.data)
    else if (draft.data !== final?.data) unrecorded.add(draft)
  }
  return unrecorded
}

/**
 * One more attempt to end such a log properly. If the store cannot do that either, its row at least says how the
 * session ended, so that readers do not wait for more. Returns the committed entries. Never rejects.
 */
export async function endFailedLog(
  store: Store,
  { sessionId, lastSequence, unrecorded }: FailedLog,
  final: EntryDraft<'STATUS_CHANGE'>,
  patch: SessionPatch,
  logger: Logger,
): Promise<LogEntry[]> {
  const drafts = unrecorded.isEmpty ? [final] : [unrecorded.toDraft(final.at), final]
  const entries = drafts.map((draft, index): LogEntry => ({ ...draft, sequence: lastSequence + 1 + index }))
  try {
    const outcome = await store.append(sessionId, lastSequence, entries, patch)
    if (outcome.kind === 'committed') return entries
    logger.error({ outcome }, 'the log of a session has another writer')
  } catch (error) {
    logger.error({ err: error }, 'the final entry of a session could not be recorded')
    await store.patchSession(sessionId, patch).catch((failure: unknown) => {
      logger.fatal({ err: failure }, 'the end of a session could not be recorded')
    })
  }
  return []
}
