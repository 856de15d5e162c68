/** What bounds one session's log. */
export interface LogLimits {
  /** Entries a session may have, those of NEVER_DROPPED and messages not counted; what comes after is dropped as LOG_LIMIT. */
  maxEntries: number
  /** Entries and bytes that may wait for the store; what comes on top is dropped as FLOOD or STORE_UNAVAILABLE. */
  maxQueuedEntries: number
  maxQueuedBytes: number
  /** What is kept in memory for live readers. */
  maxTailEntries: number
  maxTailBytes: number
}
