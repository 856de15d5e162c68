import type { LogEntry } from '../../../ports/log/log-entry.ts'
import type { SessionPatch } from '../../../ports/sessions/session-record.ts'

/** Events that a session's log reports to its session. */
export interface SessionLogEvents {
  /** Entries or a patch were committed. Must not throw. */
  committed(entries: readonly LogEntry[], patch: SessionPatch | null): void
  /**
   * A fault in Tabwire or the store: something could not be recorded, and retrying will not help. The log has an
   * entry about it, or is lost. The session must end. Must not throw.
   */
  failed(error: unknown): void
  /** This log will never commit again: the row is gone, another writer took it over, or it failed. Must not throw. */
  lost(): void
}
