/** Watches the room in which sessions write. */
export interface StorageGuard {
  /** Why no session may be started now for want of room, in one sentence that says what to do; null: it may. */
  refusal(): string | null
}
