/**
 * The rules by which several machines share a queue, without a database: what StartStore and the rows of machines must do,
 * one call after another. Time is a number of the caller: a lease is over when the caller says so.
 */

export interface ModelMachine {
  id: string
  epoch: number
  slots: number
  /** As it has reported: others compare themselves with that. */
  live: number
  warm: number
  isDraining: boolean
  hasLeft: boolean
}

export interface ModelHolder {
  machineId: string
  epoch: number
}

export interface ModelSession {
  id: string
  owner: string
  status: 'CREATING' | 'RUNNING' | 'ENDED'
  holder: ModelHolder | null
}

interface ModelStart {
  sessionId: string
  owner: string
  turn: number
  order: number
  isWaiting: boolean
  lostMachines: number
}

/** A start that has lost so many machines is not claimed any more. */
const MAX_LOST_MACHINES = 3

const isSame = (one: ModelHolder | null, other: ModelHolder | null) =>
  one?.machineId === other?.machineId && one?.epoch === other?.epoch

export class StartModel {
  readonly machines = new Map<string, ModelMachine>()
  readonly sessions = new Map<string, ModelSession>()
  #starts: ModelStart[] = []
  #order = 0

  begin(id: string, slots: number): number {
    const epoch = (this.machines.get(id)?.epoch ?? 0) + 1
    this.machines.set(id, { id, epoch, slots, live: 0, warm: 0, isDraining: false, hasLeft: false })
    return epoch
  }

  /** Its lease has expired, and another machine has noticed. */
  lose(id: string): void {
    const machine = this.machines.get(id)!
    if (machine.hasLeft) return
    machine.epoch += 1
    machine.hasLeft = true
  }

  report(id: string, epoch: number, report: { live: number; warm: number; isDraining: boolean }): void {
    const machine = this.machines.get(id)!
    if (machine.epoch === epoch) Object.assign(machine, report)
  }

  queue(id: string, owner: string, maxQueued: number): 'inserted' | 'full' {
    if (this.#waiting().length >= this.#freeSlots() + maxQueued) return 'full'
    const lowest = Math.min(...this.#starts.filter(({ isWaiting }) => isWaiting).map(({ turn }) => turn))
    const highest = Math.max(0, ...this.#starts.map(({ turn }) => turn))
    const others = Number.isFinite(lowest) ? lowest : Math.max(1, highest)
    const own = Math.max(0, ...this.#starts.filter((start) => start.owner === owner).map(({ turn }) => turn))
    const turn = 1 + Math.max(own, others - 1)
    this.sessions.set(id, { id, owner, status: 'CREATING', holder: null })
    this.#starts.push({ sessionId: id, owner, turn, order: (this.#order += 1), isWaiting: true, lostMachines: 0 })
    return 'inserted'
  }

  /** `hasChoice`: whether a machine that suits it better still has the choice. */
  claim(holder: ModelHolder, live: number, warm: number, hasChoice: boolean): string | null {
    const own = this.machines.get(holder.machineId)
    if (!own || own.epoch !== holder.epoch || !takesStarts(own)) return null
    const better = [...this.machines.values()].some(
      (other) =>
        other.id !== own.id &&
        takesStarts(other) &&
        other.live < other.slots &&
        (Math.min(other.warm, 1) > Math.min(warm, 1) ||
          (Math.min(other.warm, 1) === Math.min(warm, 1) && other.live < live)),
    )
    if (better && hasChoice) return null
    const next = this.#waiting().find(({ lostMachines }) => lostMachines < MAX_LOST_MACHINES)
    if (!next) return null
    next.isWaiting = false
    this.sessions.get(next.sessionId)!.holder = holder
    Object.assign(own, { live: live + 1, warm: Math.max(0, warm - 1) })
    return next.sessionId
  }

  /** A process that has claimed the session, possibly long ago, commits that it runs. */
  run(id: string, holder: ModelHolder): boolean {
    const session = this.sessions.get(id)!
    if (session.status !== 'CREATING' || !isSame(session.holder, holder)) return false
    session.status = 'RUNNING'
    return true
  }

  /** Its holder ends it; null: somebody cancels it while it waits. */
  end(id: string, holder: ModelHolder | null): boolean {
    const session = this.sessions.get(id)!
    if (session.status === 'ENDED' || !isSame(session.holder, holder)) return false
    session.status = 'ENDED'
    return true
  }

  release(id: string, holder: ModelHolder): boolean {
    const session = this.sessions.get(id)!
    if (session.status !== 'CREATING' || !isSame(session.holder, holder)) return false
    session.holder = null
    this.#starts.find(({ sessionId }) => sessionId === id)!.isWaiting = true
    return true
  }

  releaseLost(): number {
    const isVoid = ({ machineId, epoch }: ModelHolder) => {
      const machine = this.machines.get(machineId)
      return machine?.epoch !== epoch || machine.hasLeft
    }
    const lost = [...this.sessions.values()].filter(({ holder }) => holder && isVoid(holder))
    const released = lost.filter(({ id, holder }) => this.release(id, holder!))
    for (const { id } of released) this.#starts.find(({ sessionId }) => sessionId === id)!.lostMachines += 1
    return released.length
  }

  deleteStarts(): void {
    const lowest = Math.min(...this.#waiting().map(({ turn }) => turn))
    this.#starts = this.#starts.filter(
      ({ sessionId, turn, isWaiting }) =>
        this.sessions.get(sessionId)!.status === 'CREATING' ||
        (!isWaiting && turn >= lowest && Number.isFinite(lowest)),
    )
  }

  /** Those that wait, and are not claimed any more. */
  get lost(): string[] {
    const lost = this.#waiting().filter(({ lostMachines }) => lostMachines >= MAX_LOST_MACHINES)
    return lost.map(({ sessionId }) => sessionId)
  }

  get waiting(): string[] {
    return this.#waiting().map(({ sessionId }) => sessionId)
  }

  /** Rows that are kept. */
  get startCount(): number {
    return this.#starts.length
  }

  #waiting(): ModelStart[] {
    return this.#starts
      .filter(({ sessionId, isWaiting }) => isWaiting && this.sessions.get(sessionId)!.status === 'CREATING')
      .toSorted((one, other) => one.turn - other.turn || one.order - other.order)
  }

  #freeSlots(): number {
    const takers = [...this.machines.values()].filter(takesStarts)
    const ids = new Set(takers.map(({ id }) => id))
    const live = [...this.sessions.values()].filter(
      ({ status, holder }) => status !== 'ENDED' && holder && ids.has(holder.machineId),
    )
    return Math.max(0, takers.reduce((sum, { slots }) => sum + slots, 0) - live.length)
  }
}

const takesStarts = ({ isDraining, hasLeft }: ModelMachine) => !isDraining && !hasLeft
