import type { SessionSnapshot } from '../log/session-snapshot.ts'
import type { HandleSet } from './handle-set.ts'
import type { SessionHandle } from './session-handle.ts'
import type { StartSessionInput } from './session-input.ts'
import type { SessionListArguments, SessionListPage } from './session-list.ts'

/** What startSession waits for. */
export type StartWait = 'CREATING' | 'RUNNING' | 'LOADED'

/** Slots for sessions. */
export interface Capacity {
  total: number
  live: number
  queued: number
  warm: number
}

/**
 * All sessions, live and ended: starts them, finds them, lists them, and hands out the handles of those that live. Another
 * owner's sessions do not exist.
 */
export interface SessionDirectory {
  /**
   * Starts a session. Resolves when it has reached `waitUntil` or has ended, after 30 s, or when the signal fires. Throws
   * BadUserInput, CapacityExceeded, StorageFull or AiNotConfigured.
   */
  start(
    owner: string,
    input: StartSessionInput | null | undefined,
    waitUntil: StartWait,
    signal: AbortSignal,
  ): Promise<SessionSnapshot>
  /** The owner's session as it is now. Null: there is none. */
  find(owner: string, sessionId: string): Promise<SessionSnapshot | null>
  /** A page of the owner's sessions, newest first. */
  list(owner: string, args: SessionListArguments, signal: AbortSignal): Promise<SessionListPage>
  /**
   * Follows changes. With a sessionId: the session as it is now, then its changes, until its end. Null: the owner's live
   * sessions, then every change of any. Throws NotFound before the first change.
   */
  changes(
    owner: string,
    sessionId: string | null,
    signal: AbortSignal,
  ): Promise<AsyncIterableIterator<SessionSnapshot, undefined>>
  /** The slots of the whole installation. */
  capacity(): Promise<Capacity>
  /** The handle of a session, for callers whose right to it is known. Null: it has ended, or cannot be reached. */
  handle(sessionId: string): Promise<SessionHandle | null>
  /** The handle of the owner's session. Throws NotFound, or SessionNotRunning when it has ended or cannot be reached. */
  requireHandle(owner: string, sessionId: string): Promise<SessionHandle>
  /** The handle of a session that is RUNNING and is not about to end. Null: there is none. */
  findRunning(sessionId: string): Promise<SessionHandle | null>
  /** The handles of those sessions that live, to ask all of them at once. */
  handles(sessionIds: readonly string[]): Promise<HandleSet>
}
