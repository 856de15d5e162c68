import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import type { MachineIdentity, MachineReport, MachineStore } from '../../ports/machines/machine-store.ts'
import { StoreUnavailable } from '../../ports/store/store-errors.ts'

export interface LeaseTiming {
  beatMs: number
  /** The same on all machines. */
  leaseMs: number
}

/**
 * A lost machine is noticed within a lease and a beat: sessions end within 15 s. A call to the database takes at most
 * 6 s (connecting included), so that after its failure every machine renews its lease before others may take it away.
 */
export const LEASE_TIMING: LeaseTiming = { beatMs: 2_000, leaseMs: 10_000 }

const RETRY_MS = 500

/** For sessions that were started in between. */
const STARTED_WITHOUT = 'The server had no lease when the session was started.'

/** Epoch of sessions that are started while there is no lease: lower than any. */
const NO_EPOCH = 0

/** What a machine does as its lease changes. Calls must not throw. */
export interface LeaseEvents {
  report(): MachineReport
  renewed(epoch: number): void
  /** Sessions that have another epoch than the current one are lost. */
  lost(reason: string): void
  /** Another server has begun a lease under the same id: this one must not go on. */
  replaced(): void
}

/** Renews the lease of this machine, and begins another when it was taken away. */
export class LeaseKeeper {
  readonly #store: MachineStore
  readonly #machine: MachineIdentity
  readonly #events: LeaseEvents
  readonly #timing: LeaseTiming
  readonly #logger: Logger
  /** How long sessions go on without a connection to the database; null: as long as it takes. */
  readonly #partitionMs: number | null
  #epoch: number
  #isHeld = true
  #isCutOff = false
  /** Since when the lease could not be renewed, by performance.now. */
  #failingSince: number | null = null
  #timer: NodeJS.Timeout | null = null
  #beating: Promise<void> | null = null
  #isClosed = false

  constructor(
    store: MachineStore,
    machine: MachineIdentity,
    epoch: number,
    events: LeaseEvents,
    { timing, partitionMs }: { timing: LeaseTiming; partitionMs: number | null },
    logger: Logger,
  ) {
    this.#store = store
    this.#machine = machine
    this.#epoch = epoch
    this.#events = events
    this.#timing = timing
    this.#partitionMs = partitionMs
    this.#logger = logger
  }

  /** What new sessions are started under. */
  get epoch(): number {
    return this.#isHeld && !this.#isCutOff ? this.#epoch : NO_EPOCH
  }

  /** Renews the lease now, and from then on in time. */
  beat(): void {
    if (this.#isClosed || this.#beating) return
    if (this.#timer) clearTimeout(this.#timer)
    const startedAt = performance.now()
    this.#beating = unowned(() => this.#renew(startedAt)).then((isRenewed) => {
      this.#beating = null
      if (this.#isClosed) return
      const pauseMs = isRenewed ? this.#timing.beatMs : Math.min(RETRY_MS, this.#timing.beatMs)
      const leftMs = isRenewed ? Math.max(0, startedAt + pauseMs - performance.now()) : pauseMs
      this.#timer = unowned(() => setTimeout(() => this.beat(), leftMs).unref())
    })
  }

  /** The lease ends, unless the database cannot be reached. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer) clearTimeout(this.#timer)
    await this.#beating
    if (!this.#isHeld) return
    await this.#store.leave(this.#machine.id, this.#epoch).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the lease of this machine could not be ended; it expires')
    })
  }

  /** Never rejects. */
  async #renew(startedAt: number): Promise<boolean> {
    try {
      if (this.#isHeld && !(await this.#store.renew(this.#machine, this.#epoch, this.#events.report()))) {
        this.#isHeld = false
        this.#logger.error('another server took the lease of this machine away, which was not renewed in time')
        this.#events.lost('The server lost its lease: it was suspended, or could not reach the database.')
      }
      if (!this.#isHeld && !(await this.#beginAgain())) return false
      if (this.#failingSince !== null) this.#logger.info('the lease of this machine is renewed again')
      this.#failingSince = null
      if (this.#isCutOff) {
        this.#isCutOff = false
        this.#events.lost(STARTED_WITHOUT)
      }
      this.#events.renewed(this.#epoch)
      return true
    } catch (error) {
      this.#failed(error, startedAt)
      return false
    }
  }

  async #beginAgain(): Promise<boolean> {
    const epoch = await this.#store.beginAgain(this.#machine, this.#events.report())
    if (epoch === null) {
      this.#isClosed = true
      this.#events.replaced()
      return false
    }
    this.#epoch = epoch
    this.#isHeld = true
    this.#events.lost(STARTED_WITHOUT)
    return true
  }

  #failed(error: unknown, startedAt: number): void {
    if (this.#isClosed) return
    if (this.#failingSince === null || !(error instanceof StoreUnavailable)) {
      this.#logger.error({ err: error }, 'the lease of this machine could not be renewed')
    }
    // Not the last renewal: the process may have been suspended since, with the database in reach.
    this.#failingSince ??= startedAt
    if (this.#partitionMs === null || this.#isCutOff) return
    if (performance.now() - this.#failingSince < this.#partitionMs) return
    this.#isCutOff = true
    const seconds = Math.round(this.#partitionMs / 1000)
    this.#logger.error(`the database could not be reached for ${seconds} s: the sessions of this machine end`)
    this.#events.lost(`The server could not reach the database for ${seconds} s.`)
  }
}
