/**
 * Room for one file, or a group of files that is kept as one, while it is written: a share of what its owner's artifact
 * quota leaves. It counts against the quota from the first byte until `release`, so that files written at the same
 * time, in whichever sessions of the owner, do not take the same room twice.
 */
export interface FileRoom {
  /** Bytes that the file may have in all as things stand; negative when the quota is exceeded without it. */
  readonly limit: number
  /** Reports the present size in bytes. False: it exceeds `limit`. */
  grow(bytes: number): boolean
  /** Idempotent. */
  release(): void
}
