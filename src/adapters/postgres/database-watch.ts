import type pg from 'pg'
import type { Logger } from '../../logger.ts'
import { unowned } from '../../fault-owner.ts'
import { StoreFull, StoreUnavailable } from '../../ports/store-errors.ts'
import { asStoreError, sentenceOf } from './database-errors.ts'

export interface WatchTiming {
  /** Time is counted in these: the process may have been stopped for an hour, and the database with it. */
  tickMs: number
  /** Without any progress for so long, the database is taken for away: calls fail at once, and those under way fail. */
  awayTicks: number
  /** Without any progress for so long, it is taken for dead. */
  deadTicks: number
  /** The same while a statement of the upkeep runs, which may take its time. */
  maintenanceAwayTicks: number
  maintenanceDeadTicks: number
  /** How often something is written that is of no other use. */
  writeEveryTicks: number
  /** How long a full disk that a write met with is taken to be full still; a write that succeeds ends it. */
  failedWriteTicks: number
}

/**
 * The embedded database appends 30,000 entries a second, in batches of at most 1,000, and reads in steps of milliseconds:
 * on a machine ten times slower, none of these comes near. VACUUM reads the indexes whole, and so grows with the log.
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
  /** How many statements have ended, whoever asked them. */
  statementsEnded(): number
  /** Why nothing can answer now, where that is known without asking. */
  downBecause(): string | null
  /** Whether a statement of the upkeep runs. */
  isMaintained(): boolean
  /** Whether writing for the sake of it may do harm. */
  sparesWrites(): boolean
  /** Whether what is written now will be found again. */
  isInPlace(): Promise<boolean>
  /** It stands still, or what it writes is lost. */
  onDead(reason: string): void
}

const CHECK = `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as "readOnly"`

/** Goes through the write-ahead log to the disk, like every commit, and leaves nothing in any table. */
const WRITE = `select pg_logical_emit_message(true, 'tabwire', '')`

const STANDS_STILL = 'the database does not answer'

/**
 * Knows whether the database answers and can be written, by asking it all the time: so whoever wants to know never waits,
 * and no call waits for one that stands still. Connections that are refused need no watch, for they fail by themselves;
 * a server that is stopped, a network that swallows packets or a thread that hangs fails nothing.
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
  /** It stands still: nothing is asked but our own question. */
  #away: string | null = null
  /** What came of the last question, or what prevents one. */
  #failure: string | null = null
  #failedWrite: { reason: string; ticksLeft: number } | null = null
  #toldProblem: string | null = null

  constructor(database: WatchedDatabase, logger: Logger, timing: WatchTiming = WATCH_TIMING) {
    this.#database = database
    this.#timing = timing
    this.#logger = logger
    this.#timer = setInterval(() => this.#tick(), timing.tickMs).unref()
  }

  /** Why nothing can be written now, for people; null: something can, as far as is known. */
  get problem(): string | null {
    const down = this.#database.downBecause()
    if (down !== null) return `the embedded database is being restarted: ${down}`
    return this.#away ?? this.#failure ?? this.#failedWrite?.reason ?? null
  }

  /** The call, unless the database is away or goes away meanwhile: then StoreUnavailable, at once. */
  guard<T>(call: () => Promise<T>): Promise<T> {
    const down = this.#database.downBecause() ?? this.#away
    if (down !== null) return Promise.reject(new StoreUnavailable(new Error(down), this.problem ?? down))
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#waiting.add(reject)
    // The pool keeps connections and timers for whoever comes next.
    unowned(call)
      .then(resolve, reject)
      .finally(() => this.#waiting.delete(reject))
    return promise
  }

  /** As guard, for a call that writes: how it ends is remembered. */
  async guardWrite<T>(call: () => Promise<T>): Promise<T> {
    try {
      const outcome = await this.guard(call)
      this.#failedWrite = null
      return outcome
    } catch (error) {
      // A disk that is full for a table may have room for our own question; all else that question finds out as well.
      if (error instanceof StoreFull)
        this.#failedWrite = { reason: error.message, ticksLeft: this.#timing.failedWriteTicks }
      throw error
    }
  }

  /** Asks now. Rejects with StoreUnavailable unless the database answers and can be written. */
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
    // Any statement that ends is progress, whoever asked it.
    if (ended !== this.#statementsEnded) this.#ticksWithoutProgress = 0
    this.#statementsEnded = ended
    if (this.#isProbing) {
      this.#ticksWithoutProgress += 1
      this.#judgeStandstill()
    } else if (this.#database.downBecause() === null) {
      this.#ticksWithoutProgress = 0
      void this.#probe()
    }
    this.#tellOfChange()
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
      // It is kept as the failure, and told when it is another than the last.
    } finally {
      this.#isProbing = false
      this.#tellOfChange()
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

  #tellOfChange(): void {
    const { problem } = this
    if (problem === this.#toldProblem) return
    if (problem === null) this.#logger.info('the database answers and can be written again')
    else this.#logger.error({ reason: problem }, 'the database cannot be used; what is to be written waits')
    this.#toldProblem = problem
  }
}
