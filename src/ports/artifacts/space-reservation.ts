/**
 * Space for one file, or a group of files that is stored as one, while it is written: a share of the remaining artifact
 * quota of its owner. It counts against the quota from the first byte until `release`, so that files written at the
 * same time, in any session of the owner, do not use the same space twice.
 */
export interface SpaceReservation {
  /** Current maximum size of the file; negative if the quota is exceeded without it. */
  readonly limit: number
  /** Reports the current size in bytes. False: it exceeds `limit`. */
  grow(bytes: number): boolean
  /** Idempotent. */
  release(): void
}
