import { setImmediate as aTurn } from 'node:timers/promises'
import type { EntryFilter, LogEntry } from '../../ports/log-entry.ts'
import type { EntryStep, Store } from '../../ports/store.ts'
import { NotFound } from '../kernel/errors.ts'
import { matchesFilter } from './entry-filter.ts'

/** A part of a log whose end is fixed: whoever reads it twice gets the same. */
export interface LogSpan {
  readonly sessionId: string
  readonly owner: string
  /** Sequences: what comes after the one, up to and with the other. */
  readonly after: number
  readonly upTo: number
  readonly filter: EntryFilter
}

const STEP_ENTRIES = 500
/** What a reader holds, twice: the step that it works on, and the next, which the store reads meanwhile. */
const STEP_BYTES = 1024 * 1024

/** What logs are read from. */
export type SpanStore = Pick<Store, 'readEntries' | 'findEntry'>

/** The matching entries, step by step. Rejects as Store.readEntries does, or with NotFound for a log that is deleted meanwhile. */
export async function* readSpan(
  store: SpanStore,
  { sessionId, owner, after, upTo, filter }: LogSpan,
  signal: AbortSignal,
): AsyncGenerator<LogEntry[]> {
  const read = (from: number) => {
    const bounds = { after: from, before: upTo + 1, limit: STEP_ENTRIES, maxBytes: STEP_BYTES }
    // A reader beside the queries of the owner, who does not wait for a long export.
    const reader = `exports of ${owner}`
    const step = store.readEntries({ sessionId, reader, filter, direction: 'forward', ...bounds }, signal)
    // It is awaited below; until then it must not count as unhandled.
    step.catch(() => undefined)
    return step
  }
  let next: Promise<EntryStep> | null = after < upTo ? read(after) : null
  try {
    while (next) {
      const { entries, scannedTo, done } = await next
      next = done ? null : read(scannedTo)
      // Only then is it sent: else the store would wait for the work on this step, as that does for the store.
      if (next) await aTurn()
      // What cannot be read comes whatever the filter wants.
      yield entries.filter((entry) => matchesFilter(entry, filter))
    }
    // Retention deletes the oldest entries first: while this one is there, none was missing.
    if (after < upTo && !(await store.findEntry(sessionId, 1))) throw new NotFound('session')
  } finally {
    await next?.catch(() => undefined)
  }
}
