import type { SessionRecord } from '../../../ports/sessions/session-record.ts'

/** The state of a session at one moment, for readers: immutable. */
export interface SessionSnapshot extends SessionRecord {
  readonly pendingRequestCount: number
  /** Milliseconds since the epoch; the earliest limit that applies; null once ended. */
  readonly expiresAt: number | null
}
