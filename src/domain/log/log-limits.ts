/** What bounds one session's log. */
export interface LogLimits {
  /** Entries a session may have, those of NEVER_DROPPED not counted; what comes after is dropped as LOG_LIMIT. */
  maxEntries: number
  /** Entries and bytes that may wait for the store; what comes on top is dropped as FLOOD or STORE_UNAVAILABLE. */
  maxQueuedEntries: number
  maxQueuedBytes: number
  /** What is kept in memory for live readers. */
  maxTailEntries: number
  maxTailBytes: number
}

/** Waiting entries and tails of all sessions together may take about this much memory each. */
const QUEUE_BYTES = 256 * 1024 * 1024
const TAIL_BYTES = 64 * 1024 * 1024

/** What each of so many sessions may take. */
export function logLimitsOf({ maxLogEntries, maxSessions }: { maxLogEntries: number; maxSessions: number }): LogLimits {
  const share = (bytes: number, most: number) => Math.max(256 * 1024, Math.min(most, Math.floor(bytes / maxSessions)))
  return {
    maxEntries: maxLogEntries,
    maxQueuedEntries: 100_000,
    maxQueuedBytes: share(QUEUE_BYTES, 64 * 1024 * 1024),
    maxTailEntries: 2000,
    maxTailBytes: share(TAIL_BYTES, 2 * 1024 * 1024),
  }
}
