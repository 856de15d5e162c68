/** Limits of one session's log. */
export interface LogLimits {
  /**
   * Maximum number of entries, not counting NEVER_DROPPED ones and messages; later entries are dropped as LOG_LIMIT.
   */
  maxEntries: number
  /** Entries and bytes that may wait for the store; the excess is dropped as FLOOD or STORE_UNAVAILABLE. */
  maxQueuedEntries: number
  maxQueuedBytes: number
  /** Bounds of the tail kept in memory for live readers. */
  maxTailEntries: number
  maxTailBytes: number
}

/** Approximate memory for the waiting entries, and for the tails, of all sessions together. */
const QUEUE_BYTES = 256 * 1024 * 1024
const TAIL_BYTES = 64 * 1024 * 1024

/** Limits for each of that many sessions. */
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
