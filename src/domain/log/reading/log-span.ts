import { setImmediate as aTurn } from 'node:timers/promises'
import type { EntryFilter, LogEntry } from '../../../ports/log/log-entry.ts'
import type { EntryQuery, EntryStep, Store } from '../../../ports/store/store.ts'
import { NotFound } from '../../kernel/errors.ts'
import { matchesFilter } from '../entries/entry-filter.ts'

/** A part of a log with a fixed end, so that repeated reads return the same. */
export interface LogSpan {
  readonly sessionId: string
  readonly owner: string
  /** Sequences: after the first, up to and including the second. */
  readonly after: number
  readonly upTo: number
  readonly filter: EntryFilter
}

const STEP_ENTRIES = 500
/** Bound of one step. A reader holds two: the one it processes, and the next, which the store reads meanwhile. */
const STEP_BYTES = 1024 * 1024

/** The part of the store that logs are read from. */
export type SpanStore = Pick<Store, 'readEntries' | 'findEntry'>

/**
 * The matching entries, step by step. Rejects as Store.readEntries does, or with NotFound if the log is deleted in
 * the meantime.
 */
export async function* readSpan(
  store: SpanStore,
  { sessionId, owner, after, upTo, filter }: LogSpan,
  signal: AbortSignal,
  { withTexts = false }: Pick<EntryQuery, 'withTexts'> = {},
): AsyncGenerator<LogEntry[]> {
  const read = (from: number) => {
    const bounds = { after: from, before: upTo + 1, limit: STEP_ENTRIES, maxBytes: STEP_BYTES }
    // Separate from the owner's queries, which must not wait for a long export.
    const reader = `exports of ${owner}`
    const step = store.readEntries({ sessionId, reader, filter, direction: 'forward', withTexts, ...bounds }, signal)
    // It is awaited below; until then it must not count as unhandled.
    step.catch(() => undefined)
    return step
  }
  let next: Promise<EntryStep> | null = after < upTo ? read(after) : null
  try {
    while (next) {
      const { entries, scannedTo, done } = await next
      next = done ? null : read(scannedTo)
      // Sends the query before the work on this step starts; otherwise the store would be idle during that work.
      if (next) await aTurn()
      // Unreadable entries pass any filter.
      yield entries.filter((entry) => matchesFilter(entry, filter))
    }
    // Retention deletes the oldest entries first: while this one exists, none was missing.
    if (after < upTo && !(await store.findEntry(sessionId, 1))) throw new NotFound('session')
  } finally {
    await next?.catch(() => undefined)
  }
}
