import { PulledStream } from '../../async/pulled-stream.ts'
import type { MachineRecord } from '../../ports/machines/machine-store.ts'

type List = readonly MachineRecord[]

/** Notifies the followers of machinesChanged. */
export class MachineFollowers {
  readonly #followers = new Set<MachineFollower>()
  readonly #list: () => Promise<MachineRecord[]>

  /** `list`: the current machines. */
  constructor(list: () => Promise<MachineRecord[]>) {
    this.#list = list
  }

  get count(): number {
    return this.#followers.size
  }

  /** The machines, as they were just read. */
  offer(machines: List): void {
    for (const follower of this.#followers) follower.offer(machines)
  }

  follow(signal: AbortSignal): AsyncIterableIterator<MachineRecord[], undefined> {
    return new MachineFollower(this.#followers, this.#list, signal)
  }
}

/** Bounded: of what a slow reader has not read, only the latest list is kept. */
class MachineFollower extends PulledStream<MachineRecord[]> {
  readonly #followers: Set<MachineFollower>
  readonly #list: () => Promise<MachineRecord[]>
  #waiting: List | null = null
  #delivered: string | null = null

  constructor(followers: Set<MachineFollower>, list: () => Promise<MachineRecord[]>, signal: AbortSignal) {
    super(signal)
    this.#followers = followers
    this.#list = list
  }

  offer(machines: List): void {
    this.#waiting = machines
    this.wake()
  }

  protected async begin(): Promise<void> {
    this.#followers.add(this)
    const machines = await this.#list()
    this.#waiting ??= machines
  }

  protected async pull(): Promise<MachineRecord[] | null> {
    while (!this.hasEnded) {
      this.forgetNews()
      const machines = this.#waiting
      this.#waiting = null
      const state = machines && stateOf(machines)
      if (machines && state !== this.#delivered) {
        this.#delivered = state
        return [...machines]
      }
      await this.untilNews()
    }
    return null
  }

  protected free(): void {
    this.#followers.delete(this)
  }
}

/** Everything but the times of heartbeats. */
const stateOf = (machines: List) =>
  JSON.stringify(machines.map((machine) => ({ ...machine, heartbeatAt: 0, leaseUntil: 0 })))
