import type { SessionFilter, Store } from '../../ports/store/store.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import { decodeSessionCursor } from '../kernel/cursor.ts'
import { pageRequest, type PageArguments } from '../kernel/pagination.ts'
import { parseSessionFilter, type SessionFilterInput } from './input/session-filter.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { LIVE_STATUSES } from '../kernel/session-state.ts'

export interface SessionListArguments extends PageArguments {
  includeTerminated?: boolean | null
  filter?: SessionFilterInput | null
}

export interface SessionListPage {
  sessions: SessionSnapshot[]
  hasNextPage: boolean
  hasPreviousPage: boolean
  totalCount(): Promise<number>
}

/** Cursors of the first and last item of a page of sessions. */
export const SESSION_PAGE_BOUNDS = { min: 1, max: 100, default: 30 } as const

/** A page of the owner's sessions, newest first; `snapshotOf` adds to the row of a live session of this process. */
export async function listSessions(
  store: Store,
  owner: string,
  args: SessionListArguments,
  snapshotOf: (record: SessionRecord) => SessionSnapshot,
  signal: AbortSignal,
): Promise<SessionListPage> {
  const request = pageRequest(args, SESSION_PAGE_BOUNDS)
  const given = parseSessionFilter(args.filter, ['filter'])
  const filter: SessionFilter = given.status || args.includeTerminated ? given : { ...given, status: LIVE_STATUSES }
  const after = args.after == null ? null : decodeSessionCursor(owner, args.after, 'after')
  const before = args.before == null ? null : decodeSessionCursor(owner, args.before, 'before')
  const { records, hasMore } = await store.listSessions({ owner, filter, after, before, ...request }, signal)
  const forward = request.direction === 'forward'
  return {
    sessions: records.map(snapshotOf),
    hasNextPage: forward ? hasMore : before !== null,
    hasPreviousPage: forward ? after !== null || request.offset > 0 : hasMore,
    totalCount: () => store.countSessions(owner, filter, signal),
  }
}
