import { setTimeout as pause } from 'node:timers/promises'
import { percentile } from '../measure.ts'
import type { ServerProcess } from '../server-process.ts'
import { LogReaders, type WantedLog } from './log-readers.ts'
import { startMachine } from './machine.ts'
import type { SharedServices } from './shared-services.ts'
import { coresOf, CORES, UsageMeter, usersOf, type Usage } from './usage.ts'

export interface LoadOptions {
  machines: number
  sessions: number
  subscriptions: number
  lineEveryMs: number
  windowMs: number
  /** On the clock of performance.now: what is not measured by then is left out. */
  until: number
}

interface Percentiles {
  p50: number
  p99: number
}

/** A number of sessions with their subscriptions, and what that costs. */
export interface LoadStage {
  sessions: number
  subscriptions: number
  /** Of those started for this stage; null: none was. */
  placementMs: Percentiles | null
  /** Of each start, beyond those of the sessions that ran already. Null: they were too few to tell. */
  transactionsPerStart: number | null
  /** Sessions of each machine. */
  placed: number[]
  /** From a line until its subscriber has it; null: none came. */
  ownMs: Percentiles | null
  elsewhereMs: Percentiles | null
  /** Lines that subscribers received a second. */
  delivered: number
  usage: Usage
  connections: number
  natsSubscriptions: number
  /** Why no more sessions are tried; null: there is room. */
  saturated: string | null
}

/** Shares of the sessions that are wanted. */
const STEPS = [0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1]
/** Starts under way at once: they must not wait for each other. */
const STARTS_AT_ONCE = 4
/** PostgreSQL counts what a connection did up to seconds later. */
const FEW_STARTS = 100
const SLOW_MS = 1_000
const BUSY = 0.92

const START = `mutation { startSession(input: { keepAlive: true, maxDurationSeconds: 86400 }, waitUntil: RUNNING) {
  id status machineId } }`

interface Started {
  startSession: { id: string; status: string; machineId: string | null }
}

interface Session {
  id: string
  machineId: string
}

/**
 * Machines with simulated browsers under more and more sessions, until something is saturated or the time is over.
 * `found`: is told each stage once it is measured.
 */
export async function measureLoad(
  services: SharedServices,
  opened: AsyncDisposableStack,
  options: LoadOptions,
  found: (stage: LoadStage) => void,
): Promise<void> {
  const machines: ServerProcess[] = []
  for (let count = 0; count < options.machines; count += 1) {
    const environment = {
      TABWIRE_MAX_SESSIONS: String(Math.ceil(options.sessions / options.machines)),
      TABWIRE_MAX_QUEUED: String(options.sessions),
      TABWIRE_WARM_BROWSERS: '1',
      SIMULATED_LINE_EVERY_MS: String(options.lineEveryMs),
    }
    const started = await startMachine(services, 'simulated', environment)
    machines.push(opened.adopt(started, (machine) => machine.close()))
  }
  const load = new Load(services, machines, options)
  // Before the machines: their ends would be taken for failures.
  opened.defer(() => load.close())
  const targets = new Set(STEPS.map((step) => Math.round(options.sessions * step)))
  for (const target of targets) {
    const stage = await load.measure(target)
    if (!stage) return
    found(stage)
    if (stage.saturated !== null) return
  }
}

class Load {
  readonly #services: SharedServices
  readonly #machines: readonly ServerProcess[]
  readonly #options: LoadOptions
  readonly #meter: UsageMeter
  readonly #readers = new LogReaders()
  readonly #sessions: Session[] = []
  /** Transactions a second of the sessions that there are. */
  #steady = 0

  constructor(services: SharedServices, machines: readonly ServerProcess[], options: LoadOptions) {
    this.#services = services
    this.#machines = machines
    this.#options = options
    this.#meter = new UsageMeter(services, machines)
  }

  /** Null: the time does not suffice. */
  async measure(target: number): Promise<LoadStage | null> {
    const { until, windowMs, subscriptions, sessions } = this.#options
    const startsUntil = until - 2 * windowMs
    if (performance.now() > startsUntil) return null
    const tookMs: number[] = []
    const before = this.#sessions.length
    const starting = await this.#meter.during(() => this.#startUpTo(target, startsUntil, tookMs))
    const isWhole = this.#sessions.length >= target
    await this.#subscribeUpTo(Math.round((subscriptions * this.#sessions.length) / sessions))
    if (!(await this.#settled(startsUntil + windowMs))) return null
    this.#readers.begin()
    const usage = await this.#meter.during(() => pause(windowMs))
    const { own, elsewhere } = this.#readers.end()
    const stage = {
      sessions: this.#sessions.length,
      subscriptions: this.#readers.count,
      placementMs: percentiles(tookMs),
      transactionsPerStart:
        tookMs.length < FEW_STARTS ? null : (starting.transactions - this.#steady) * (starting.seconds / tookMs.length),
      placed: this.#placed(),
      ownMs: percentiles(own),
      elsewhereMs: percentiles(elsewhere),
      delivered: (own.length + elsewhere.length) / usage.seconds,
      usage,
      connections: await this.#services.connections(),
      natsSubscriptions: await this.#services.natsSubscriptions(),
    }
    this.#steady = usage.transactions
    const saturated = saturationOf(stage)
    const late = `the time was over after ${stage.sessions - before} of ${target - before} starts`
    return { ...stage, saturated: saturated ?? (isWhole ? null : late) }
  }

  close(): void {
    this.#readers.close()
  }

  async #startUpTo(target: number, until: number, tookMs: number[]): Promise<void> {
    let next = this.#sessions.length
    const work = async () => {
      while (next < target && performance.now() < until) {
        const { client } = this.#machines[next++ % this.#machines.length]!
        const begunAt = performance.now()
        const { startSession } = await client.query<Started>(START)
        const { id, status, machineId } = startSession
        if (status !== 'RUNNING' || machineId === null) throw new Error(`a session is ${status}`)
        tookMs.push(performance.now() - begunAt)
        this.#sessions.push({ id, machineId })
      }
    }
    await Promise.all(Array.from({ length: STARTS_AT_ONCE }, work))
  }

  /** Each at the next machine, so that most are read elsewhere than where their session is. */
  async #subscribeUpTo(target: number): Promise<void> {
    const from = this.#readers.count
    if (target <= from) return
    const ids = await this.#machineIds()
    const wanted = this.#machines.map((): WantedLog[] => [])
    for (let number = from; number < target; number += 1) {
      const { id, machineId } = this.#sessions[number % this.#sessions.length]!
      const at = (number + Math.floor(number / this.#sessions.length)) % this.#machines.length
      wanted[at]!.push({ sessionId: id, isOwn: ids[at] === machineId })
    }
    await Promise.all(this.#machines.map((machine, index) => this.#readers.open(machine, wanted[index]!)))
  }

  /** Ids of the machines, in their order. */
  async #machineIds(): Promise<string[]> {
    const text = '{ machines { id address } }'
    const [first] = this.#machines
    const { machines } = await first!.client.query<{ machines: { id: string; address: string | null }[] }>(text)
    return this.#machines.map(({ url }) => machines.find(({ address }) => address === url)?.id ?? '')
  }

  /** Whether all subscriptions have caught up by then. */
  async #settled(until: number): Promise<boolean> {
    while (this.#readers.live < this.#readers.count) {
      this.#readers.check()
      if (performance.now() > until) return false
      await pause(50)
    }
    return true
  }

  #placed(): number[] {
    const counts = Map.groupBy(this.#sessions, ({ machineId }) => machineId)
    return [...counts.values()].map(({ length }) => length).toSorted((one, other) => other - one)
  }
}

const percentiles = (samples: readonly number[]): Percentiles | null =>
  samples.length === 0 ? null : { p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) }

/** A machine works on one thread, and everything together on the cores of this computer. */
function saturationOf(stage: Omit<LoadStage, 'saturated'>): string | null {
  const { usage, elsewhereMs, ownMs } = stage
  const [most, next] = usersOf(usage)
  const busiest = Math.max(...usage.machines)
  if (busiest >= BUSY)
    return `the thread of machine ${usage.machines.indexOf(busiest) + 1} (${share(busiest)} of a core)`
  const all = coresOf(usage)
  if (all >= BUSY * CORES) {
    const shares = `${most!.name} ${share(most!.cores)}, ${next!.name} ${share(next!.cores)}`
    return `the ${CORES} cores of this computer (${share(all)} of them in use: ${shares})`
  }
  const slowest = Math.max(elsewhereMs?.p99 ?? 0, ownMs?.p99 ?? 0)
  return slowest > SLOW_MS ? `lines come late (p99 ${Math.round(slowest)} ms) although no processor is busy` : null
}

const share = (cores: number) => cores.toFixed(2)
