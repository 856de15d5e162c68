import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { Deadline } from '../../async/deadline.ts'
import { unowned } from '../../fault-owner.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import type { MachineIdentity, MachineRecord, MachineReport } from '../../ports/machines/machine-store.ts'
import { StoreUnavailable } from '../../ports/store/store-errors.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Capacity } from '../sessions/session-directory.ts'
import { LEASE_TIMING, LeaseKeeper, type LeaseTiming } from './lease-keeper.ts'
import { LostSessions } from './lost-sessions.ts'
import { MachineFollowers } from './machine-followers.ts'
import type { LeasedSessions, Machines } from './machines.ts'

export interface SharedMachinesOptions {
  store: Store
  bus: Bus
  logger: Logger
  machineId: string
  version: string
  slots: number
  /** See LeaseKeeper. */
  partitionSeconds: number | null
  timing?: LeaseTiming | undefined
  /** Another server runs under the same machine id: this one must stop. */
  onReplaced(): void
}

const CLOSE_MS = 1_000
/** Beats between two deletions of machines that have left. */
const DELETE_EVERY = 300

/** The servers on a shared database, one of which this one is: it holds a lease, and takes those of lost ones away. */
export class SharedMachines implements Machines {
  readonly #options: SharedMachinesOptions
  readonly #machine: MachineIdentity
  readonly #keeper: LeaseKeeper
  readonly #lost: LostSessions
  readonly #followers: MachineFollowers
  #sessions: LeasedSessions | null = null
  #address: string | null = null
  #isDraining = false
  #others: MachineRecord[] = []
  #beats = 0
  #onEpoch: ((epoch: number) => void) | null = null
  #tellsEpoch = 0
  #working: Promise<void> | null = null

  private constructor(options: SharedMachinesOptions, machine: MachineIdentity, epoch: number, timing: LeaseTiming) {
    const { store, bus, logger, machineId, partitionSeconds } = options
    this.#options = options
    this.#machine = machine
    this.#followers = new MachineFollowers(() => this.list())
    const events = {
      report: () => this.#report(),
      renewed: (renewed: number) => this.#renewed(renewed),
      lost: (reason: string) => this.#sessions?.loseAll(reason),
      replaced: () => options.onReplaced(),
    }
    const partitionMs = partitionSeconds === null ? null : partitionSeconds * 1000
    this.#keeper = new LeaseKeeper(store.machines, machine, epoch, events, { timing, partitionMs }, logger)
    this.#lost = new LostSessions(store, bus, machineId, logger)
  }

  /** Begins this machine's lease. Rejects with StoreUnavailable. */
  static async begin(options: SharedMachinesOptions): Promise<SharedMachines> {
    const { store, machineId: id, version, slots, timing = LEASE_TIMING } = options
    const machine = { id, instance: randomUUID(), leaseMs: timing.leaseMs }
    const report = { address: null, version, slots, live: 0, queued: 0, warm: 0, draining: false }
    const epoch = await store.machines.begin(machine, report)
    return new SharedMachines(options, machine, epoch, timing)
  }

  get identity() {
    return { machineId: this.#machine.id, machineEpoch: this.#keeper.epoch }
  }

  get hasOthers(): boolean {
    return this.#others.length > 0
  }

  serve(sessions: LeasedSessions): void {
    this.#sessions = sessions
    this.#keeper.beat()
  }

  listensAt(address: string | null): void {
    this.#address = address
    this.#keeper.beat()
  }

  drain(): void {
    this.#isDraining = true
    this.#keeper.beat()
  }

  list(): Promise<MachineRecord[]> {
    return this.#options.store.machines.list()
  }

  changes(signal: AbortSignal): AsyncIterableIterator<MachineRecord[], undefined> {
    return this.#followers.follow(signal)
  }

  /** Calls back now, and with each further lease. */
  onEpoch(listener: (epoch: number) => void): void {
    this.#onEpoch = listener
    this.#tellEpoch(this.#keeper.epoch)
  }

  /** The address of a machine, under that lease. Null: it has none, or is gone. */
  async findAddress(machineId: string, epoch: number): Promise<string | null> {
    const isIt = (machine: MachineRecord) => machine.id === machineId && machine.epoch === epoch
    const known = this.#others.find(isIt)
    // It may have begun, or begun to listen, since the last look.
    const found = known?.address ? known : (await this.list()).find(isIt)
    return found?.address ?? null
  }

  totalCapacity(own: Capacity): Capacity {
    const total = { ...own }
    for (const { slots, live, queued, warm, draining } of this.#others.filter(({ isAlive }) => isAlive)) {
      total.total += draining ? live : slots
      total.live += live
      total.queued += queued
      total.warm += warm
    }
    return total
  }

  async close(): Promise<void> {
    await Deadline.isMet(Promise.all([this.#keeper.close(), this.#working]), CLOSE_MS)
  }

  #report(): MachineReport {
    const { version, slots } = this.#options
    const { live, queued, warm } = this.#sessions?.ownCapacity() ?? { live: 0, queued: 0, warm: 0 }
    return { address: this.#address, version, slots, live, queued, warm, draining: this.#isDraining }
  }

  #tellEpoch(epoch: number): void {
    if (!this.#onEpoch || epoch === this.#tellsEpoch) return
    this.#tellsEpoch = epoch
    this.#onEpoch(epoch)
  }

  #renewed(epoch: number): void {
    this.#beats += 1
    this.#tellEpoch(epoch)
    this.#working ??= unowned(() => this.#lookAtOthers(epoch)).finally(() => (this.#working = null))
  }

  /** Never rejects. */
  async #lookAtOthers(epoch: number): Promise<void> {
    const { store, logger } = this.#options
    try {
      const machines = await this.list()
      this.#others = machines.filter(({ id, leftAt }) => leftAt === null && id !== this.#machine.id)
      this.#followers.offer(machines)
      const taken = await store.machines.takeExpired(this.#machine, epoch)
      if (taken.length > 0) logger.warn({ machines: taken }, 'machines did not renew their leases: their sessions end')
      await this.#lost.endAll()
      if (this.#beats % DELETE_EVERY === 1) await store.machines.deleteLeft()
    } catch (error) {
      if (error instanceof StoreUnavailable) logger.debug({ err: error }, 'the other machines could not be looked at')
      else logger.error({ err: error }, 'the other machines could not be looked at')
    }
  }
}
