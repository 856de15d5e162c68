import type { ActionErrorCode } from '../browser/action.ts'
import type { SessionEndReason, SessionStatus } from '../log/log-entry.ts'
import type { Cost } from '../tasks/task.ts'
import type { CaptureOptions } from '../browser/capture.ts'
import type { Emulation } from '../browser/emulation.ts'
import type { RedactionRules } from './redaction.ts'
import type { SessionEgress } from '../egress/session-egress.ts'
import type { Json } from '../base/json.ts'
import type { Viewport } from '../base/viewport.ts'

/** Why a requested navigation failed: one of the codes of the action `navigate`. */
export interface NavigationError {
  url: string
  code: ActionErrorCode
  /** For people. */
  message: string
  at: number
}

/** The machine of a session, under the lease that it was started with. */
export type SessionHolder = Pick<SessionRecord, 'machineId' | 'machineEpoch'>

/** Of a session that waits for a machine. */
export const NO_HOLDER: SessionHolder = { machineId: '', machineEpoch: null }

/** The row of a session. Times are milliseconds since the epoch. */
export interface SessionRecord {
  /** UUID version 7; the public id is the global id derived from it. */
  id: string
  owner: string
  name: string | null
  metadata: { [key: string]: Json }
  status: SessionStatus
  endReason: SessionEndReason | null
  error: string | null
  viewport: Viewport
  userAgent: string | null
  locale: string | null
  timezone: string | null
  /** Null: no task was given. */
  emulation: Emulation | null
  offline: boolean
  keepAlive: boolean
  idleTimeoutSeconds: number
  maxDurationSeconds: number
  /** Empty: it waits for a machine, see StartStore. */
  machineId: string
  /** The epoch of the machine when it started: see MachineStore. Null: its machine has no lease, or it waits for one. */
  machineEpoch: number | null
  idempotencyKey: string | null
  /** SHA-256 of the canonical input, to recognize a repeated start with the same key. */
  inputHash: string | null
  createdAt: number
  startedAt: number | null
  lastActivityAt: number
  endedAt: number | null
  currentUrl: string | null
  title: string | null
  /** Null: the last requested navigation succeeded, or there was none. */
  lastNavigationError: NavigationError | null
  navigationCount: number
  consoleMessageCount: number
  networkRequestCount: number
  actionCount: number
  screenshotCount: number
  /** Console messages of the level ERROR, uncaught exceptions included. */
  consoleErrorCount: number
  /** Requests that the filter `failedOnly` selects. */
  failedRequestCount: number
  /** Of all its tasks; usd is null once a model with an unknown price was used. */
  cost: Cost
  /** The profile it started with; null: none. */
  profileId: string | null
  /** What its pages may reach. Null: a session from before these rules, whose pages could reach everything. */
  egress: SessionEgress | null
  /**
   * What is recorded of bodies, messages and logged objects. Null: a session from before these options, which recorded
   * none.
   */
  capture: CaptureOptions | null
  /** What is masked in its log. Null: a session from before masking, in which nothing was. */
  redact: RedactionRules | null
  /**
   * Sequence of the last committed entry; 0 before the first. Sequences have no gaps, so it is also the number of
   * entries.
   */
  lastSequence: number
}

/** Mutable members of a live session's row; counters and lastSequence change only with an append. */
export type SessionPatch = Partial<
  Pick<
    SessionRecord,
    | 'name'
    | 'metadata'
    | 'status'
    | 'endReason'
    | 'error'
    | 'viewport'
    | 'offline'
    | 'keepAlive'
    | 'idleTimeoutSeconds'
    | 'maxDurationSeconds'
    | 'startedAt'
    | 'lastActivityAt'
    | 'endedAt'
    | 'currentUrl'
    | 'title'
    | 'lastNavigationError'
    | 'cost'
  >
>
