import type { EntryDraft, SessionEventKind } from '../../ports/log-entry.ts'

/** What callers did and got, bounded by what they do: no flood of a page may cost them an entry. */
const NEVER_DROPPED: ReadonlySet<SessionEventKind> = new Set([
  'STATUS_CHANGE',
  'ENTRIES_DROPPED',
  'ACTION',
  'ARTIFACT_CREATED',
  'ARTIFACT_FAILED',
  'TASK_STEP',
  'TASK_ENDED',
  'CLIENT_ATTACHED',
  'CLIENT_DETACHED',
])

/** A client of the browser's protocol does as much as it likes, as fast as it likes: of that, too, some may be dropped. */
export const isNeverDropped = (draft: EntryDraft): boolean =>
  NEVER_DROPPED.has(draft.kind) && !(draft.kind === 'ACTION' && draft.data.origin === 'CLIENT')
