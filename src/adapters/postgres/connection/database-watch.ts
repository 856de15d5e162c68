import type pg from 'pg'
import type { Logger } from '../../../logger.ts'
import { unowned } from '../../../fault-owner.ts'
import { StoreFull, StoreUnavailable } from '../../../ports/store/store-errors.ts'
import { asStoreError, sentenceOf } from '../base/database-errors.ts'

export interface WatchTiming {
  /** Time is counted in these: the process may have been suspended for an hour, and the database with it. */
  tickMs: number
  /** After this long without progress, the database is considered unavailable: pending and new calls fail at once. */
  awayTicks: number
  /** After this long without progress, it is considered dead. */
  deadTicks: number
  /** The same while a maintenance statement runs, which may take longer. */
  maintenanceAwayTicks: number
  maintenanceDeadTicks: number
  /** How often a probe is written. */
  writeEveryTicks: number
  /** How long the disk is considered full after a write failed for that reason; a successful write ends it. */
  failedWriteTicks: number
}

/**
 * The embedded database appends 30,000 entries a second, in batches of at most 1,000, and reads in steps of
 * milliseconds: even on a machine ten times slower, none comes near these limits. VACUUM reads whole indexes, so its
 * time grows with the log.
 */
export const WATCH_TIMING: WatchTiming = {
  tickMs: 1_000,
  awayTicks: 5,
  deadTicks: 20,
  maintenanceAwayTicks: 20,
  maintenanceDeadTicks: 300,
  writeEveryTicks: 10,
  failedWriteTicks: 10,
}

export interface WatchedDatabase {
  pool: pg.Pool
  /** Number of completed statements of all callers. */
  statementsEnded(): number
  /** Why it cannot respond now, if that is known without a query. */
  downBecause(): string | null
  /** Whether a maintenance statement is running. */
  isMaintained(): boolean
  /** Whether a probe write may do harm. */
  sparesWrites(): boolean
  /** Whether data written now can be found again. */
  isInPlace(): Promise<boolean>
  /** It hangs, or its writes are lost. */
  onDead(reason: string): void
}

const CHECK = `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as "readOnly"`

/** Goes through the write-ahead log to the disk, like every commit, and leaves nothing in any table. */
const WRITE = `select pg_logical_emit_message(true, 'tabwire', '')`

const STANDS_STILL = 'the database does not answer'

/**
 * Knows whether the database responds and is writable, by probing it continuously: so callers learn it without delay,
 * and no call waits for a hanging database. Refused connections need no watch, since they fail by themselves; a stopped
 * server, a network that drops packets or a hanging thread causes no error.
 */
export class DatabaseWatch {
  readonly #database: WatchedDatabase
  readonly #timing: WatchTiming
  readonly #logger: Logger
  readonly #timer: NodeJS.Timeout
  readonly #waiting = new Set<(error: StoreUnavailable) => void>()
  #isProbing = false
  #ticksWithoutProgress = 0
  #statementsEnded = 0
  #ticksSinceWrite = 0
  /** It hangs: only the probe is sent. */
  #away: string | null = null
  /** The result of the latest probe, or what prevents one. */
  #failure: string | null = null
  #failedWrite: { reason: string; ticksLeft: number } | null = null
  #reportedProblem: string | null = null

  constructor(database: WatchedDatabase, logger: Logger, timing: WatchTiming = WATCH_TIMING) {
    this.#database = database
    this.#timing = timing
    this.#logger = logger
    this.#timer = setInterval(() => this.#tick(), timing.tickMs).unref()
  }

  /** Why nothing can be written now, for people; null: writes are possible, as far as is known. */
  get problem(): string | null {
    const down = this.#database.downBecause()
    if (down !== null) return `the embedded database is being restarted: ${down}`
    return this.#away ?? this.#failure ?? this.#failedWrite?.reason ?? null
  }

  /** Runs the call, unless the database is or becomes unavailable: then StoreUnavailable, at once. */
  guard<T>(call: () => Promise<T>): Promise<T> {
    const down = this.#database.downBecause() ?? this.#away
    if (down !== null) return Promise.reject(new StoreUnavailable(new Error(down), this.problem ?? down))
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#waiting.add(reject)
    // The pool keeps connections and timers for later callers.
    unowned(call)
      .then(resolve, reject)
      .finally(() => this.#waiting.delete(reject))
    return promise
  }

  /** As guard, for a call that writes: its result is remembered. */
  async guardWrite<T>(call: () => Promise<T>): Promise<T> {
    try {
      const outcome = await this.guard(call)
      this.#failedWrite = null
      return outcome
    } catch (error) {
      // A disk that is full for a table may have space for the probe; the probe detects everything else as well.
      if (error instanceof StoreFull)
        this.#failedWrite = { reason: error.message, ticksLeft: this.#timing.failedWriteTicks }
      throw error
    }
  }

  /** Probes now. Rejects with StoreUnavailable unless the database responds and is writable. */
  async check(): Promise<void> {
    await this.guard(() => this.#ask())
    const { problem } = this
    if (problem !== null) throw new StoreUnavailable(new Error(problem), problem)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    if (this.#failedWrite && (this.#failedWrite.ticksLeft -= 1) <= 0) this.#failedWrite = null
    this.#ticksSinceWrite += 1
    const ended = this.#database.statementsEnded()
    // Any completed statement is progress, whichever caller sent it.
    if (ended !== this.#statementsEnded) this.#ticksWithoutProgress = 0
    this.#statementsEnded = ended
    if (this.#isProbing) {
      this.#ticksWithoutProgress += 1
      this.#judgeStandstill()
    } else if (this.#database.downBecause() === null) {
      this.#ticksWithoutProgress = 0
      void this.#probe()
    }
    this.#reportChange()
  }

  #judgeStandstill(): void {
    const { awayTicks, deadTicks, maintenanceAwayTicks, maintenanceDeadTicks } = this.#timing
    const isMaintained = this.#database.isMaintained()
    const ticks = this.#ticksWithoutProgress
    if (ticks >= (isMaintained ? maintenanceAwayTicks : awayTicks)) this.#goAway()
    if (ticks >= (isMaintained ? maintenanceDeadTicks : deadTicks)) {
      this.#ticksWithoutProgress = 0
      this.#database.onDead(`no statement has ended for ${Math.round((ticks * this.#timing.tickMs) / 1000)} s`)
    }
  }

  #goAway(): void {
    if (this.#away !== null) return
    this.#away = STANDS_STILL
    for (const reject of this.#waiting) reject(new StoreUnavailable(new Error(STANDS_STILL), STANDS_STILL))
    this.#waiting.clear()
  }

  async #probe(): Promise<void> {
    this.#isProbing = true
    try {
      await this.#ask()
      this.#away = null
    } catch {
      // Stored as the failure, and logged if it differs from the previous one.
    } finally {
      this.#isProbing = false
      this.#reportChange()
    }
  }

  async #ask(): Promise<void> {
    const { pool } = this.#database
    try {
      if (!(await this.#database.isInPlace())) this.#database.onDead('its directory is gone')
      const { rows } = await pool.query<{ standby: boolean; readOnly: boolean }>(CHECK)
      const { standby, readOnly } = rows[0]!
      if (standby) this.#failure = 'the database is a standby, which nothing can be written to'
      else if (readOnly) this.#failure = 'the database is read-only'
      else {
        const isDue = this.#failure !== null || this.#ticksSinceWrite >= this.#timing.writeEveryTicks
        if (isDue && !this.#database.sparesWrites()) {
          this.#ticksSinceWrite = 0
          await pool.query(WRITE)
        }
        this.#failure = null
      }
    } catch (error) {
      this.#failure = sentenceOf(error) ?? STANDS_STILL
      throw asStoreError(error)
    }
  }

  #reportChange(): void {
    const { problem } = this
    if (problem === this.#reportedProblem) return
    if (problem === null) this.#logger.info('the database answers and can be written again')
    else this.#logger.error({ reason: problem }, 'the database is unavailable; writes wait')
    this.#reportedProblem = problem
  }
}
