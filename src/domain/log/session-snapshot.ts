import type { SessionRecord } from '../../ports/session-record.ts'

/** A session as it is at one moment, for readers: immutable. */
export interface SessionSnapshot extends SessionRecord {
  readonly pendingRequestCount: number
  /** Milliseconds since the epoch; the earliest limit that applies; null once ended. */
  readonly expiresAt: number | null
}
