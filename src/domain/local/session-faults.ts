import type { FaultOwner } from '../../fault-owner.ts'
import type { Session } from '../session/session.ts'

/** Answers for what a session begins by itself, whoever asked for it: its clock, its log, its tasks. */
export class SessionFaults implements FaultOwner {
  #session: Pick<Session, 'failed'> | null = null

  /** Before, there is nothing that could fail. */
  of(session: Pick<Session, 'failed'>): void {
    this.#session = session
  }

  fail(error: unknown): void {
    this.#session?.failed(error)
  }
}
