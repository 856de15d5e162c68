import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import { MAX_LOST_MACHINES, START_VERSION, type ClaimedStart } from '../../ports/store/start-store.ts'
import type { SessionHolder, SessionRecord } from '../../ports/sessions/session-record.ts'
import { StoreUnavailable } from '../../ports/store/store-errors.ts'
import type { Store } from '../../ports/store/store.ts'
import type { CapacityQueue, Place } from '../kernel/capacity-queue.ts'
import { TabwireError } from '../kernel/errors.ts'
import { endWaiting } from './end-waiting.ts'

/** What wakes machines that may claim a start: on the bus it is in the place of a session. */
const WAKE_UPS = 'starts'

/** How long a start is left to the machine that suits it best. It needs a wake-up and a statement; it may be stuck. */
const GRACE_MS = 1_000
/** Makes up for wake-ups that were lost; while there are none, the only way to notice starts. */
const POLL_MS = 500
const TEND_EVERY = 4

type End = Pick<SessionRecord, 'status' | 'endReason' | 'error'>

const OVERDUE: End = { status: 'TIMED_OUT', endReason: 'MAX_DURATION', error: null }
const LOST: End = {
  status: 'FAILED',
  endReason: 'MACHINE_LOST',
  error: `${MAX_LOST_MACHINES} servers were lost, one after the other, while they started the session.`,
}

export interface StartClaimsOptions {
  store: Store
  bus: Bus
  slots: CapacityQueue
  /** Under which it claims. */
  holder(): SessionHolder
  warm(): number
  /** Rejects with a TabwireError if nothing can be started here now. */
  requireSpace(): Promise<void>
  /** Whether the session is live in this process. */
  isHere(sessionId: string): boolean
  /** Starts it in the slot, or leaves the slot. Rejects if it is to be left to another machine. */
  begin(claimed: ClaimedStart, holder: SessionHolder, place: Place): Promise<void>
  /** A waiting session has ended. */
  ended(record: SessionRecord): void
  logger: Logger
}

/** This machine's part in the queue of several machines: it claims starts while it has free slots. */
export class StartClaims {
  readonly #options: StartClaimsOptions
  readonly #logger: Logger
  readonly #beginning = new Map<string, Promise<void>>()
  readonly #works = new Set<Promise<void>>()
  #unsubscribe: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null
  #again: NodeJS.Timeout | null = null
  #claiming: Promise<void> | null = null
  #isDue = false
  #ticks = 0
  #tending: Promise<void> | null = null

  constructor(options: StartClaimsOptions) {
    this.#options = options
    this.#logger = options.logger
  }

  /** From now on it claims starts. */
  open(): void {
    this.#unsubscribe = unowned(() => this.#options.bus.subscribe(WAKE_UPS, () => void this.look()))
    this.#timer = unowned(() => setInterval(() => this.#tick(), POLL_MS).unref())
    void this.look()
  }

  /** The start waits. Resolves when this machine has claimed it, or left it to others. */
  async queued(sessionId: string): Promise<void> {
    await this.look()
    if (this.#beginning.has(sessionId) || this.#options.isHere(sessionId)) return
    this.#options.bus.publish(WAKE_UPS)
  }

  /** Claims what waits, as far as there are slots. Never rejects. */
  look(): Promise<void> {
    this.#isDue = true
    this.#claiming ??= unowned(() => this.#claimAll()).finally(() => {
      this.#claiming = null
      if (this.#isDue && this.#unsubscribe) void this.look()
    })
    return this.#claiming
  }

  /** Leaves a start that was claimed here to other machines. Never rejects. */
  readonly release = (sessionId: string, holder: SessionHolder): Promise<void> =>
    this.#track(async () => {
      if (!(await this.#options.store.releaseStart(sessionId, holder))) return
      this.#options.bus.publish(sessionId)
      this.#options.bus.publish(WAKE_UPS)
    }, 'a claimed start could not be released: it is once the lease of this machine is over')

  /** No more claims. Resolves when what was claimed has begun, or is released. */
  async close(): Promise<void> {
    this.#unsubscribe?.()
    this.#unsubscribe = null
    if (this.#timer) clearInterval(this.#timer)
    if (this.#again) clearTimeout(this.#again)
    await Promise.all([this.#claiming, this.#tending])
    await Promise.all(this.#beginning.values())
    await Promise.all(this.#works)
  }

  async #claimAll(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false
      try {
        while (this.#unsubscribe && this.#options.slots.hasFree && (await this.#claim()));
      } catch (error) {
        const isPassing = error instanceof StoreUnavailable || error instanceof TabwireError
        this.#logger[isPassing ? 'debug' : 'error']({ err: error }, 'no start could be claimed')
      }
    }
  }

  /** True: there may be another one to claim. */
  async #claim(): Promise<boolean> {
    const { store, slots, warm } = this.#options
    const holder = this.#options.holder()
    if (!holder.machineEpoch) return false
    await this.#options.requireSpace()
    const { machineId, machineEpoch } = holder
    const load = { live: slots.live, warm: warm() }
    const claimant = { machineId, machineEpoch, ...load, graceMs: GRACE_MS, version: START_VERSION }
    const { claimed, othersWait } = await store.claimStart(claimant)
    if (!claimed) {
      if (othersWait) this.#later()
      return false
    }
    const place = this.#unsubscribe ? slots.take() : null
    if (!place) {
      await this.release(claimed.sessionId, holder)
      return false
    }
    const { sessionId } = claimed
    const begun = this.#begin(claimed, holder, place).finally(() => this.#beginning.delete(sessionId))
    this.#beginning.set(sessionId, begun)
    // What is queued from now on wakes this machine.
    return othersWait
  }

  /** Never rejects. */
  async #begin(claimed: ClaimedStart, holder: SessionHolder, place: Place): Promise<void> {
    try {
      await this.#options.begin(claimed, holder, place)
    } catch (error) {
      this.#logger.warn({ err: error, sessionId: claimed.sessionId }, 'a claimed start is left to other machines')
      place.leave()
      await this.release(claimed.sessionId, holder)
    }
  }

  /** What another machine has had the choice of, and did not take. */
  #later(): void {
    if (this.#again || !this.#unsubscribe) return
    this.#again = setTimeout(() => {
      this.#again = null
      void this.look()
    }, GRACE_MS).unref()
  }

  #tick(): void {
    this.#ticks += 1
    if (this.#options.bus.problem !== null) void this.look()
    if (this.#ticks % TEND_EVERY !== 0 || this.#tending) return
    const work = () => this.#tend()
    this.#tending = this.#track(work, 'the queue could not be looked after').finally(() => (this.#tending = null))
  }

  /** What only goes wrong if a machine dies, or an answer of the database is lost. */
  async #tend(): Promise<void> {
    const { store, slots, isHere, bus } = this.#options
    const holder = this.#options.holder()
    if (!holder.machineEpoch) return
    if ((await store.releaseLostStarts()) > 0) bus.publish(WAKE_UPS)
    // A claim that is under way would be taken for one whose answer was lost.
    if (!this.#claiming) {
      const held = await store.listHeldStarts(holder.machineId, holder.machineEpoch)
      const isStray = (id: string) => !isHere(id) && !this.#beginning.has(id)
      const strays = this.#claiming ? [] : held.filter(isStray)
      await Promise.all(strays.map((id) => this.release(id, holder)))
    }
    await this.#endAll(await store.listLostStarts(), LOST)
    await this.#endAll(await store.listOverdueStarts(), OVERDUE)
    await store.deleteStarts()
    if (slots.hasFree) void this.look()
  }

  /** Other machines do the same: for each session, one of them succeeds. */
  async #endAll(records: readonly SessionRecord[], end: End): Promise<void> {
    const { store, bus, ended } = this.#options
    for (const record of records) {
      const outcome = await endWaiting(store, record, end)
      if (!outcome) continue
      ended(outcome)
      bus.publish(record.id)
    }
  }

  /** Never rejects. */
  #track(work: () => Promise<void>, failed: string): Promise<void> {
    const tracked = unowned(work)
      .catch((error: unknown) => {
        const isPassing = error instanceof StoreUnavailable
        this.#logger[isPassing ? 'debug' : 'error']({ err: error }, failed)
      })
      .finally(() => void this.#works.delete(tracked))
    this.#works.add(tracked)
    return tracked
  }
}
