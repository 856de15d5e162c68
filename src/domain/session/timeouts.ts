import { owned } from '../../fault-owner.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import { isEnded } from '../kernel/session-state.ts'

export type ClockRecord = Pick<
  SessionRecord,
  'status' | 'keepAlive' | 'startedAt' | 'createdAt' | 'lastActivityAt' | 'idleTimeoutSeconds' | 'maxDurationSeconds'
>

/** The limits of a session's lifetime, enforced by one timer. */
export class SessionClock {
  readonly #record: () => ClockRecord
  readonly #onLimit: (reason: 'IDLE_TIMEOUT' | 'MAX_DURATION') => void
  /** Its faults are the session's, regardless of the caller. */
  readonly #onTime = owned(() => this.#look())
  #timer: NodeJS.Timeout | null = null
  /** Number of tasks that keep the session from being idle. */
  #busy = 0
  /** When the last of them ended; the record has it only after the commit. */
  #busyUntil = 0

  /** `waitedMs`: since the session was created, where that was by the clock of another machine. */
  constructor(
    record: () => ClockRecord,
    onLimit: (reason: 'IDLE_TIMEOUT' | 'MAX_DURATION') => void,
    waitedMs?: number,
  ) {
    const createdAt = waitedMs === undefined ? null : Date.now() - waitedMs
    this.#record = createdAt === null ? record : () => ({ ...record(), createdAt })
    this.#onLimit = onLimit
  }

  /** When the earliest applicable limit ends the session; null once it has ended. */
  expiresAt(): number | null {
    const record = this.#record()
    const { status, keepAlive, lastActivityAt } = record
    if (isEnded(status)) return null
    const longest = longestUntil(record)
    if (keepAlive || status === 'CREATING') return longest
    // Work in progress counts as activity now.
    const busyUntil = this.#busy > 0 ? Date.now() : this.#busyUntil
    return Math.min(longest, Math.max(lastActivityAt, busyUntil) + record.idleTimeoutSeconds * 1000)
  }

  /** The session is not idle until the returned function is called, once. */
  begin(): () => void {
    this.#busy += 1
    return () => {
      this.#busy -= 1
      this.#busyUntil = Date.now()
    }
  }

  /** Call whenever the record has changed. */
  watch(): void {
    this.stop()
    const expiresAt = this.expiresAt()
    if (expiresAt === null) return
    this.#timer = setTimeout(this.#onTime, Math.max(0, expiresAt - Date.now()))
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }

  #look(): void {
    const now = Date.now()
    if ((this.expiresAt() ?? now) > now) return this.watch()
    this.#onLimit(now >= longestUntil(this.#record()) ? 'MAX_DURATION' : 'IDLE_TIMEOUT')
  }
}

function longestUntil({ startedAt, createdAt, maxDurationSeconds }: ClockRecord): number {
  return (startedAt ?? createdAt) + maxDurationSeconds * 1000
}
