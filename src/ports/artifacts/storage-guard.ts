/** Monitors the storage space that sessions write to. */
export interface StorageGuard {
  /** Why no session can start for lack of space, in one sentence that says what to do; null: there is enough. */
  refusal(): string | null
}
