import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import type { HandleSet } from './handle-set.ts'
import type { SessionHandle } from './session-handle.ts'
import type { StartSessionInput } from './input/session-input.ts'
import type { SessionListArguments, SessionListPage } from './session-list.ts'

/** The state that startSession waits for. */
export type StartWait = 'CREATING' | 'RUNNING' | 'LOADED'

/** Slots for sessions. */
export interface Capacity {
  total: number
  live: number
  queued: number
  warm: number
}

/**
 * All sessions, live and ended: starts, finds and lists them, and returns the handles of live ones. Other owners'
 * sessions do not exist.
 */
export interface SessionDirectory {
  /**
   * Starts a session. Resolves when it has reached `waitUntil` or has ended, after 30 s, or when the signal is aborted.
   * Throws BadUserInput, CapacityExceeded, StorageFull or AiNotConfigured.
   */
  start(
    owner: string,
    input: StartSessionInput | null | undefined,
    waitUntil: StartWait,
    signal: AbortSignal,
  ): Promise<SessionSnapshot>
  /** The current state of the owner's session. Null: it does not exist. */
  find(owner: string, sessionId: string): Promise<SessionSnapshot | null>
  /** A page of the owner's sessions, newest first. */
  list(owner: string, args: SessionListArguments, signal: AbortSignal): Promise<SessionListPage>
  /**
   * Follows changes. With a sessionId: the session's current state, then its changes, until its end. Null: the owner's
   * live sessions, then every change of any. Throws NotFound before the first change.
   */
  changes(
    owner: string,
    sessionId: string | null,
    signal: AbortSignal,
  ): Promise<AsyncIterableIterator<SessionSnapshot, undefined>>
  /** The slots of the whole installation. */
  capacity(): Promise<Capacity>
  /** The handle of a session, for callers that are already authorized. Null: it has ended, or cannot be reached. */
  handle(sessionId: string): Promise<SessionHandle | null>
  /** The handle of the owner's session. Throws NotFound, or SessionNotRunning if it has ended or cannot be reached. */
  requireHandle(owner: string, sessionId: string): Promise<SessionHandle>
  /** The handle of a session that is RUNNING and not about to end. Null: none. */
  findRunning(sessionId: string): Promise<SessionHandle | null>
  /** The handles of the live ones among those sessions, to query all of them at once. */
  handles(sessionIds: readonly string[]): Promise<HandleSet>
}
