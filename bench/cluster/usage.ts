import { availableParallelism } from 'node:os'
import { processSeconds } from '../cpu-time.ts'
import type { ServerProcess } from '../server-process.ts'
import type { ServiceCounts, SharedServices } from './shared-services.ts'

/** Of a second: cores, transactions, rows and messages. */
export interface Usage {
  /** Cores that each machine's process uses. */
  machines: number[]
  postgres: number
  nats: number
  /** This process: it starts sessions and subscribes. */
  client: number
  transactions: number
  rowsWritten: number
  messagesToNats: number
  messagesFromNats: number
}

interface Reading {
  at: number
  seconds: Pick<Usage, 'machines' | 'postgres' | 'nats' | 'client'>
  counts: ServiceCounts
}

/** Reads what the processes have used, and tells what they used in between. */
export class UsageMeter {
  readonly #services: SharedServices
  readonly #machines: readonly ServerProcess[]

  constructor(services: SharedServices, machines: readonly ServerProcess[]) {
    this.#services = services
    this.#machines = machines
  }

  async during(work: () => Promise<unknown>): Promise<Usage & { seconds: number }> {
    const before = await this.#read()
    await work()
    const after = await this.#read()
    const seconds = (after.at - before.at) / 1000
    const rate = (read: (reading: Reading) => number) => Math.max(0, read(after) - read(before)) / seconds
    return {
      seconds,
      machines: this.#machines.map((_, index) => rate((reading) => reading.seconds.machines[index]!)),
      postgres: rate((reading) => reading.seconds.postgres),
      nats: rate((reading) => reading.seconds.nats),
      client: rate((reading) => reading.seconds.client),
      transactions: rate((reading) => reading.counts.transactions),
      rowsWritten: rate((reading) => reading.counts.rowsWritten),
      messagesToNats: rate((reading) => reading.counts.messagesToNats),
      messagesFromNats: rate((reading) => reading.counts.messagesFromNats),
    }
  }

  async #read(): Promise<Reading> {
    const { postgresPid, natsPid } = this.#services
    const counts = await this.#services.counts()
    return {
      at: performance.now(),
      counts,
      seconds: {
        machines: this.#machines.map(({ pid }) => processSeconds(pid, 'itself')),
        postgres: postgresPid === null ? 0 : processSeconds(postgresPid, 'tree'),
        nats: processSeconds(natsPid, 'itself'),
        client: processSeconds(process.pid, 'itself'),
      },
    }
  }
}

export const CORES = availableParallelism()

/** All that uses a processor here, largest first. */
export function usersOf({ machines, postgres, nats, client }: Usage): { name: string; cores: number }[] {
  const users = [
    ...machines.map((cores, index) => ({ name: `machine ${index + 1}`, cores })),
    { name: 'PostgreSQL', cores: postgres },
    { name: 'NATS', cores: nats },
    { name: 'the client', cores: client },
  ]
  return users.toSorted((one, other) => other.cores - one.cores)
}

export const coresOf = (usage: Usage): number => usersOf(usage).reduce((sum, { cores }) => sum + cores, 0)
