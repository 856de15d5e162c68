import { NotFound } from '../kernel/errors.ts'
import { isEnded, SessionNotRunning } from '../kernel/session-state.ts'
import type { SessionDirectory } from './session-directory.ts'
import type { SessionHandle } from './session-handle.ts'

/**
 * The handle of the owner's session. Null: it has ended, possibly after it was found. Throws NotFound, or
 * SessionNotRunning if it is live but unreachable from here.
 */
export async function findLive(
  sessions: Pick<SessionDirectory, 'find' | 'handle'>,
  owner: string,
  sessionId: string,
): Promise<SessionHandle | null> {
  const found = await sessions.find(owner, sessionId)
  if (!found) throw new NotFound('session')
  if (isEnded(found.status)) return null
  const handle = await sessions.handle(sessionId)
  if (handle) return handle
  const now = await sessions.find(owner, sessionId)
  if (now && !isEnded(now.status)) throw new SessionNotRunning('The session does not live on this server.')
  return null
}
