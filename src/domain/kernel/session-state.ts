import type { SessionEndReason, SessionStatus } from '../../ports/log/log-entry.ts'
import { TabwireError } from './errors.ts'

/**
 * The life of a session, as a pure function:
 *
 *                 started                     TERMINATED, SERVER_SHUTDOWN, TASK_COMPLETED
 *   CREATING ───────────────▶ RUNNING ───────────────────────────────────▶ CLOSED
 *      │                        │  IDLE_TIMEOUT, MAX_DURATION
 *      │                        ├────────────────────────────────────────▶ TIMED_OUT
 *      │                        │  BROWSER_CRASHED, BROWSER_MISBEHAVED, INTERNAL_ERROR, MACHINE_LOST, TASK_FAILED
 *      │                        └────────────────────────────────────────▶ FAILED
 *      └── as RUNNING, but LAUNCH_FAILED instead of BROWSER_*, and never IDLE_TIMEOUT: it isn't idle, it
 *          waits; nor TASK_*: its task has not begun
 *
 * An ended session stays as it ended. The whole table is test/domain/session-state.test.ts.
 */
export type SessionState =
  | { status: 'CREATING' | 'RUNNING'; endReason: null }
  | { status: 'CLOSED' | 'TIMED_OUT' | 'FAILED'; endReason: SessionEndReason }

export type SessionStateEvent = { type: 'started' } | { type: 'ended'; reason: SessionEndReason }

/** Why a session ends: the abort reason of the signal of its work. */
export interface SessionEnding {
  reason: SessionEndReason
  /** Error message, for people. */
  error: string | null
}

const STATUS_OF_REASON = {
  TERMINATED: 'CLOSED',
  SERVER_SHUTDOWN: 'CLOSED',
  IDLE_TIMEOUT: 'TIMED_OUT',
  MAX_DURATION: 'TIMED_OUT',
  LAUNCH_FAILED: 'FAILED',
  BROWSER_CRASHED: 'FAILED',
  BROWSER_MISBEHAVED: 'FAILED',
  INTERNAL_ERROR: 'FAILED',
  MACHINE_LOST: 'FAILED',
  TASK_COMPLETED: 'CLOSED',
  TASK_FAILED: 'FAILED',
} as const satisfies Record<SessionEndReason, SessionStatus>

const IMPOSSIBLE_WHILE: Record<'CREATING' | 'RUNNING', readonly SessionEndReason[]> = {
  CREATING: ['IDLE_TIMEOUT', 'BROWSER_CRASHED', 'BROWSER_MISBEHAVED', 'TASK_COMPLETED', 'TASK_FAILED'],
  RUNNING: ['LAUNCH_FAILED'],
}

export const LIVE_STATUSES = ['CREATING', 'RUNNING'] as const satisfies readonly SessionStatus[]

/** Whether a status is final. */
export function isEnded(status: SessionStatus): status is 'CLOSED' | 'TIMED_OUT' | 'FAILED' {
  return status !== 'CREATING' && status !== 'RUNNING'
}

/** An operation that requires a running session. */
export class SessionNotRunning extends TabwireError {
  override readonly code = 'SESSION_NOT_RUNNING'

  constructor(message = 'The session has ended.') {
    super(message)
  }
}

/**
 * Whether an error says that the session has ended, which the caller may not have known: it may run in another process.
 */
export const saysEnded = (error: unknown): boolean =>
  error instanceof TabwireError && error.code === 'SESSION_NOT_RUNNING'

/** A live session's response, or a substitute if the session has ended meanwhile. */
export async function answerOr<T>(answer: Promise<T>, whenEnded: () => T | Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (saysEnded(error)) return whenEnded()
    throw error
  }
}

/** The state after the event, or null if the event does not apply to this state. */
export function transition(state: SessionState, event: SessionStateEvent): SessionState | null {
  if (state.status !== 'CREATING' && state.status !== 'RUNNING') return null
  if (event.type === 'started') return state.status === 'CREATING' ? { status: 'RUNNING', endReason: null } : null
  if (IMPOSSIBLE_WHILE[state.status].includes(event.reason)) return null
  return { status: STATUS_OF_REASON[event.reason], endReason: event.reason }
}
