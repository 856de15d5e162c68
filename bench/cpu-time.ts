import { readdirSync, readFileSync } from 'node:fs'

/** Owners of CPU time. `server` is its main thread with the engine's own threads, `embedded database` its worker. */
export const CPU_OWNERS = ['server', 'embedded database', 'PostgreSQL', 'browsers', 'client'] as const
type CpuOwner = (typeof CPU_OWNERS)[number]
export type CpuSeconds = Record<CpuOwner, number>

/** Linux counts in hundredths of a second, on every platform that Node supports. */
const TICKS_PER_SECOND = 100

/** Node's name for threads of node:worker_threads, truncated by the kernel to 15 characters. */
const WORKER_THREAD = 'WorkerThread'

interface ProcessTime {
  parent: number
  name: string
  own: number
  /** CPU time of children that ended and were waited for. */
  ofChildren: number
}

function readStat(path: string): ProcessTime | null {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch {
    // It ended between being listed and being read.
    return null
  }
  const nameEnd = text.lastIndexOf(')')
  const fields = text.slice(nameEnd + 2).split(' ')
  const seconds = (index: number) => Number(fields[index]) / TICKS_PER_SECOND
  return {
    parent: Number(fields[1]),
    name: text.slice(text.indexOf('(') + 1, nameEnd),
    own: seconds(11) + seconds(12),
    ofChildren: seconds(13) + seconds(14),
  }
}

/** Parent of the given process; null if there is no such process. */
export function parentOf(pid: number): number | null {
  return readStat(`/proc/${pid}/stat`)?.parent ?? null
}

function readProcesses(): Map<number, ProcessTime> {
  const processes = new Map<number, ProcessTime>()
  for (const name of readdirSync('/proc')) {
    const time = /^\d+$/.test(name) ? readStat(`/proc/${name}/stat`) : null
    if (time) processes.set(Number(name), time)
  }
  return processes
}

function workerSeconds(pid: number): number {
  let seconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const time = readStat(`/proc/${pid}/task/${thread}/stat`)
    if (time?.name === WORKER_THREAD) seconds += time.own
  }
  return seconds
}

/** All descendants of the given process. */
function descendants(processes: Map<number, ProcessTime>, ancestor: number, except: readonly number[]): number[] {
  const children = [...processes].filter(([pid, { parent }]) => parent === ancestor && !except.includes(pid))
  return children.flatMap(([pid]) => [pid, ...descendants(processes, pid, except)])
}

/** CPU seconds of a process since its start, of `tree` with all of its descendants. 0: there is no such process. */
export function processSeconds(pid: number, of: 'itself' | 'tree'): number {
  const time = readStat(`/proc/${pid}/stat`)
  if (!time) return 0
  if (of === 'itself') return time.own
  const processes = readProcesses()
  return [pid, ...descendants(processes, pid, [])].reduce((sum, one) => {
    const { own = 0, ofChildren = 0 } = processes.get(one) ?? {}
    return sum + own + ofChildren
  }, 0)
}

export interface MeteredProcesses {
  /** Pid of the server under test; null while there is none. */
  server: number | null
  /** Pid of PostgreSQL's postmaster; null if the database is embedded. */
  postgres: number | null
}

/** CPU seconds that each has used since its start. The client is this process, which also runs bare Playwright. */
function readCpuSeconds({ server, postgres }: MeteredProcesses): CpuSeconds {
  const processes = readProcesses()
  const apart = [server, postgres].filter((pid) => pid !== null)
  const sum = (pids: readonly number[], read: (time: ProcessTime) => number) =>
    pids.reduce((total, pid) => total + (processes.has(pid) ? read(processes.get(pid)!) : 0), 0)
  const own = (time: ProcessTime) => time.own
  const whole = (time: ProcessTime) => time.own + time.ofChildren
  const ofWorker = server === null ? 0 : workerSeconds(server)
  const roots = [process.pid, ...(server === null ? [] : [server])]
  return {
    server: server === null ? 0 : sum([server], own) - ofWorker,
    'embedded database': ofWorker,
    PostgreSQL: postgres === null ? 0 : sum([postgres, ...descendants(processes, postgres, [])], whole),
    // Browsers that have ended count for the process that waited for them: as children of the server, or of this
    // process.
    browsers:
      sum(roots, (time) => time.ofChildren) +
      sum(
        roots.flatMap((pid) => descendants(processes, pid, apart)),
        whole,
      ),
    client: sum([process.pid], own),
  }
}

/** Adds up CPU time by kind of phase: the baseline, and the measured work. */
export class CpuMeter {
  readonly #processes: () => MeteredProcesses
  readonly #used = new Map<string, CpuSeconds>()

  constructor(processes: () => MeteredProcesses) {
    this.#processes = processes
  }

  /** Does the work and adds its CPU time to the phase. */
  async during<T>(phase: CpuPhase, work: () => Promise<T>): Promise<T> {
    const before = readCpuSeconds(this.#processes())
    const result = await work()
    const after = readCpuSeconds(this.#processes())
    const used = this.#used.get(phase) ?? zero()
    for (const owner of CPU_OWNERS) used[owner] += Math.max(0, after[owner] - before[owner])
    this.#used.set(phase, used)
    return result
  }

  used(phase: CpuPhase): CpuSeconds {
    return this.#used.get(phase) ?? zero()
  }
}

export type CpuPhase = 'baseline' | 'measured'

const zero = (): CpuSeconds => Object.fromEntries(CPU_OWNERS.map((owner) => [owner, 0])) as CpuSeconds
