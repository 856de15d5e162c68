import { setTimeout as pause } from 'node:timers/promises'
import { shuffled } from '../random.ts'
import type { Link, Machine, MachineCluster } from './machine-cluster.ts'

/** A fault of one machine, of a link of it, or of what all of them share. */
interface MachineFault {
  readonly name: string
  /** How long it lasts at least and at most; null: until everything else of its storm is over. */
  readonly lastsMs: readonly [number, number] | null
  /** Of the machine alone, whose sessions may be lost by it. Of two machines at most, so that one can notice. */
  readonly endsSessions: boolean
  /** Part of the short storm. */
  readonly isShort: boolean
  begin(cluster: MachineCluster, machine: Machine): Promise<void> | void
  end(cluster: MachineCluster, machine: Machine): Promise<void> | void
}

/** Longer than the lease of a machine, and what it takes the others to notice. */
const BEYOND_LEASE_MS = [14_000, 16_000] as const
/** Shorter than any lease: nothing may come of it. */
const MOMENT_MS = [500, 3_000] as const
/** Less than NATS and the clients of PostgreSQL wait for a connection that says nothing. */
const WHILE_MS = [2_000, 8_000] as const

const linkFault = (
  name: string,
  link: Link,
  how: 'cut' | 'stall',
  lastsMs: readonly [number, number],
): MachineFault => ({
  name,
  lastsMs,
  // A lease that is not renewed for so long may expire.
  endsSessions: link === 'database',
  isShort: false,
  begin: (_, { links }) => links[link][how](),
  end: (_, { links }) => links[link].mend(),
})

const suspension = (name: string, lastsMs: readonly [number, number], isShort: boolean): MachineFault => ({
  name,
  lastsMs,
  endsSessions: true,
  isShort,
  begin: (_, { server }) => server.signal('SIGSTOP'),
  end: (_, { server }) => server.signal('SIGCONT'),
})

const MACHINE_FAULTS: readonly MachineFault[] = [
  {
    name: 'machine: kill -9, then a new start',
    lastsMs: null,
    endsSessions: true,
    isShort: true,
    begin: async (_, { server }) => void (await server.kill('SIGKILL')),
    end: (_, { server }) => server.start(),
  },
  suspension('machine: SIGSTOP for longer than its lease', BEYOND_LEASE_MS, true),
  suspension('machine: SIGSTOP for a moment', MOMENT_MS, false),
  {
    name: 'PostgreSQL: stopped and started',
    lastsMs: WHILE_MS,
    endsSessions: false,
    isShort: true,
    begin: ({ database }) => database.stop(),
    end: ({ database }) => database.start(),
  },
  {
    name: 'NATS: killed and started',
    lastsMs: WHILE_MS,
    endsSessions: false,
    isShort: true,
    begin: ({ nats }) => nats.stop(),
    end: ({ nats }) => nats.start(),
  },
  {
    name: 'NATS: SIGSTOP',
    lastsMs: WHILE_MS,
    endsSessions: false,
    isShort: false,
    begin: ({ nats }) => nats.signal('SIGSTOP'),
    end: ({ nats }) => nats.signal('SIGCONT'),
  },
  linkFault('a machine’s link to PostgreSQL: cut', 'database', 'cut', WHILE_MS),
  linkFault('a machine’s link to PostgreSQL: silent', 'database', 'stall', WHILE_MS),
  linkFault('a machine’s link to NATS: cut', 'nats', 'cut', WHILE_MS),
  linkFault('a machine’s link to NATS: silent', 'nats', 'stall', WHILE_MS),
  linkFault('the link of the others to a machine: cut', 'others', 'cut', WHILE_MS),
  linkFault('the link of the others to a machine: silent', 'others', 'stall', WHILE_MS),
]

/** One fault of a storm. */
export interface Strike {
  readonly fault: MachineFault
  /** Index of the machine. */
  readonly at: number
  readonly afterMs: number
  readonly forMs: number
}

/** Strikes begin within so many milliseconds, so that they overlap. */
const WITHIN_MS = 6_000
const STRIKES = 4

/** The faults of one storm, with their places and times, determined by the random numbers. */
export function planStorm(random: () => number, isShort: boolean, only = ''): Strike[] {
  const between = ([least, most]: readonly [number, number]) => Math.round(least + random() * (most - least))
  const order = shuffled([0, 1, 2], random)
  const hit: number[] = []
  const strikes: Strike[] = []
  const candidates = MACHINE_FAULTS.filter(
    ({ isShort: isOfShort, name }) => (isOfShort || !isShort) && name.includes(only),
  )
  for (const fault of shuffled(candidates, random)) {
    if (strikes.length === STRIKES) break
    // NATS cannot be suspended while it is not there.
    const isOfNats = fault.name.startsWith('NATS')
    if (isOfNats && strikes.some((strike) => strike.fault.name.startsWith('NATS'))) continue
    if (fault.endsSessions && hit.length === 2) continue
    const at = fault.endsSessions ? order[hit.length]! : Math.floor(random() * order.length)
    if (fault.endsSessions) hit.push(at)
    const forMs = fault.lastsMs ? between(fault.lastsMs) : 0
    strikes.push({ fault, at, afterMs: between([0, WITHIN_MS]), forMs })
  }
  return strikes
}

export const describeStorm = (strikes: readonly Strike[]) =>
  strikes
    .map(({ fault, at, afterMs, forMs }) => {
      const time = forMs > 0 ? `, ${afterMs} to ${afterMs + forMs} ms` : `, after ${afterMs} ms`
      return `${fault.name} (${at + 1}${time})`
    })
    .join('; ')

/** Has all of them strike. Everything works again afterwards, also if it rejects. */
export async function weather(cluster: MachineCluster, strikes: readonly Strike[]): Promise<void> {
  const strike = async ({ fault, at, afterMs, forMs }: Strike) => {
    await pause(afterMs)
    await fault.begin(cluster, cluster.machines[at]!)
    if (!fault.lastsMs) return
    await pause(forMs)
    await fault.end(cluster, cluster.machines[at]!)
  }
  const results = await Promise.allSettled(strikes.map(strike))
  await mend(cluster)
  for (const { fault, at } of strikes) if (!fault.lastsMs) await fault.end(cluster, cluster.machines[at]!)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function mend({ machines, database, nats }: MachineCluster): Promise<void> {
  await database.start()
  await nats.start()
  nats.signal('SIGCONT')
  for (const { server, links } of machines) {
    for (const link of Object.values(links)) link.mend()
    if (server.isRunning) server.signal('SIGCONT')
  }
}

/** Machines whose sessions the storm may have ended. */
export const hitBy = (strikes: readonly Strike[]) =>
  new Set(strikes.filter(({ fault }) => fault.endsSessions).map(({ at }) => at))
