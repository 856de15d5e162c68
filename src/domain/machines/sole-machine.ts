import type { MachineRecord } from '../../ports/machines/machine-store.ts'
import type { Capacity } from '../sessions/session-directory.ts'
import { MachineFollowers } from './machine-followers.ts'
import type { LeasedSessions, Machines } from './machines.ts'

/** How often its slots are compared while somebody follows. */
const LOOK_MS = 1_000

/** A machine with a database of its own: nobody else could take over, so it needs no lease. */
export class SoleMachine implements Machines {
  readonly hasOthers = false
  readonly #machineId: string
  readonly #version: string
  readonly #startedAt = Date.now()
  readonly #followers = new MachineFollowers(() => {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
    return this.list()
  })
  #sessions: LeasedSessions | null = null
  #address: string | null = null
  #isDraining = false
  #timer: NodeJS.Timeout | null = null

  constructor(machineId: string, version: string) {
    this.#machineId = machineId
    this.#version = version
  }

  get identity() {
    return { machineId: this.#machineId, machineEpoch: null }
  }

  serve(sessions: LeasedSessions): void {
    this.#sessions = sessions
  }

  listensAt(address: string | null): void {
    this.#address = address
  }

  drain(): void {
    this.#isDraining = true
    this.#look()
  }

  async list(): Promise<MachineRecord[]> {
    return [this.#describe()]
  }

  changes(signal: AbortSignal): AsyncIterableIterator<MachineRecord[], undefined> {
    return this.#followers.follow(signal)
  }

  totalCapacity(own: Capacity): Capacity {
    return own
  }

  async close(): Promise<void> {
    this.#stop()
  }

  #look(): void {
    if (this.#followers.count === 0) this.#stop()
    else this.#followers.offer([this.#describe()])
  }

  #stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
  }

  #describe(): MachineRecord {
    const { total: slots, ...used } = this.#sessions?.ownCapacity() ?? { total: 0, live: 0, queued: 0, warm: 0 }
    const now = Date.now()
    return {
      id: this.#machineId,
      epoch: 1,
      address: this.#address,
      version: this.#version,
      slots,
      ...used,
      draining: this.#isDraining,
      startedAt: this.#startedAt,
      heartbeatAt: now,
      leaseUntil: now,
      leftAt: null,
      isAlive: true,
    }
  }
}
