import type { PendingRequest } from '../../ports/log/log-entry.ts'
import { BadUserInput, NotFound } from '../kernel/errors.ts'
import { answerOr, isEnded, LIVE_STATUSES } from '../kernel/session-state.ts'
import { encodeSessionCursor } from '../kernel/cursor.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { findLive } from './live-session.ts'
import type { SessionDirectory } from './session-directory.ts'
import type { SessionFilterInput } from './input/session-filter.ts'
import { parseSessionFilter } from './input/session-filter.ts'
import { parseUpdateSession, type UpdateSessionInput } from './input/session-input.ts'
import { SESSION_PAGE_BOUNDS } from './session-list.ts'

const NEVER = new AbortController().signal

/** Ends the owner's session; a session that has ended does not change. Throws NotFound or SessionNotRunning. */
export async function terminateSession(
  sessions: SessionDirectory,
  owner: string,
  sessionId: string,
): Promise<SessionSnapshot> {
  const handle = await findLive(sessions, owner, sessionId)
  if (handle) await answerOr(handle.end(), () => undefined)
  const found = await sessions.find(owner, sessionId)
  if (!found) throw new NotFound('session')
  return found
}

/** Ends every live session of the owner that matches the filter; returns their number. Throws BadUserInput. */
export async function terminateSessions(
  sessions: SessionDirectory,
  owner: string,
  input: SessionFilterInput,
): Promise<number> {
  const { status } = parseSessionFilter(input, ['filter'])
  if (Object.values(input).every((member) => member == null)) {
    const message = 'must have at least one member: ending all sessions has to be said, for example by status'
    throw new BadUserInput([{ path: ['filter'], code: 'REQUIRED', message }])
  }
  const wanted = status?.filter((one) => !isEnded(one)) ?? LIVE_STATUSES
  if (wanted.length === 0) return 0
  const filter = { ...input, status: [...wanted] }
  let count = 0
  for (let after: string | null = null, hasMore = true; hasMore;) {
    const page = await sessions.list(owner, { filter, first: SESSION_PAGE_BOUNDS.max, after }, NEVER)
    const handles = await Promise.all(page.sessions.map(({ id }) => sessions.handle(id)))
    const ending = handles.filter((handle) => handle !== null)
    await Promise.all(ending.map((handle) => answerOr(handle.end(), () => undefined)))
    count += ending.length
    const last = page.sessions.at(-1)
    after = last ? encodeSessionCursor(owner, last) : null
    hasMore = page.hasNextPage && after !== null
  }
  return count
}

/** Changes the owner's session. Throws NotFound, BadUserInput, and as SessionHandle.update. */
export async function updateSession(
  sessions: SessionDirectory,
  owner: string,
  sessionId: string,
  input: UpdateSessionInput,
): Promise<SessionSnapshot> {
  const found = await sessions.find(owner, sessionId)
  if (!found) throw new NotFound('session')
  const change = parseUpdateSession(input, found.emulation?.deviceScaleFactor)
  const handle = await sessions.requireHandle(owner, sessionId)
  return handle.update(change)
}

/** Pending requests of a session, oldest first; none if it is not live. Throws BadUserInput. */
export async function pendingRequests(
  sessions: SessionDirectory,
  sessionId: string,
  first: number,
): Promise<PendingRequest[]> {
  if (first < 1 || first > 1000) {
    throw new BadUserInput([{ path: ['first'], code: 'OUT_OF_RANGE', message: 'must be from 1 to 1000' }])
  }
  const handle = await sessions.handle(sessionId)
  return handle ? answerOr(handle.pendingRequests(first), () => []) : []
}
