import type { FaultOwner } from '../../fault-owner.ts'
import type { Session } from '../session/session.ts'

/**
 * Owns the faults of work that a session starts by itself, regardless of the caller: its timers, its log, its tasks.
 */
export class SessionFaults implements FaultOwner {
  #session: Pick<Session, 'failed'> | null = null

  /** Before that, nothing can fail. */
  of(session: Pick<Session, 'failed'>): void {
    this.#session = session
  }

  fail(error: unknown): void {
    this.#session?.failed(error)
  }
}
