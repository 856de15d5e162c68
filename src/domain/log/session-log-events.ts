import type { LogEntry } from '../../ports/log-entry.ts'
import type { SessionPatch } from '../../ports/session-record.ts'

/** What a session's log tells its session. */
export interface SessionLogEvents {
  /** Entries or a patch were committed. Must not throw. */
  committed(entries: readonly LogEntry[], patch: SessionPatch | null): void
  /**
   * A fault of ours, or of the store's: something could not be recorded that waiting will not help. The log has an entry
   * of that, or is lost. The session must end. Must not throw.
   */
  failed(error: unknown): void
  /** This log will never commit again: the row is gone, another writer took it over, or it failed. Must not throw. */
  lost(): void
}
