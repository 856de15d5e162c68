import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { writeFaults, writeMachineFaults } from '../results-file.ts'
import { BROWSER_FAULTS } from './browser-faults.ts'
import { CLIENT_FAULTS } from './client-faults.ts'
import {
  faultSection,
  isClean,
  machineFaultSection,
  noteOutcome,
  summaryOf,
  type FaultPlace,
  type FaultRecord,
  type FaultRun,
} from './fault-report.ts'
import type { Fault } from './fault.ts'
import { faultsOfMachines } from './machines/faults-of-machines.ts'
import { openStage } from './open-stage.ts'
import { seededRandom, shuffled } from './random.ts'
import { SERVER_FAULTS } from './server-faults.ts'
import type { Stage, StageKind } from './stage.ts'
import { STORE_FAULTS } from './store-faults.ts'

const FAULTS: readonly Fault[] = [...BROWSER_FAULTS, ...CLIENT_FAULTS, ...STORE_FAULTS, ...SERVER_FAULTS]
/** One server on either database, and three machines on one PostgreSQL. */
const PLACES: readonly FaultPlace[] = ['embedded', 'postgres', 'machines']

const USAGE = `npm run faults -- [--seconds <number>] [--seed <number>] [--database ${PLACES.join('|')}] [--only <part of a name>] [--short]
  --seconds   how long to go on, on all of them together; 600
  --database  one server on its embedded database, one on PostgreSQL, or three machines on one; all of them
  --short     some of the faults, each once
What a run of all faults found is kept in bench/RESULTS.md.`

interface Choice {
  seconds: number
  seed: number
  places: readonly FaultPlace[]
  only: string
  isShort: boolean
}

function readChoice(): Choice | null {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '600' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      database: { type: 'string' },
      only: { type: 'string', default: '' },
      short: { type: 'boolean', default: false },
    },
  })
  const places = PLACES.filter((place) => values.database === undefined || values.database === place)
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)]
  if (places.length === 0 || !(seconds > 0) || !Number.isSafeInteger(seed)) return null
  return { seconds, seed, places, only: values.only, isShort: values.short }
}

const say = (line: string) => process.stdout.write(`${line}\n`)

/** Cycles through the faults, in an order determined by the seed, until the time is up: at least once. */
async function run(
  stage: Stage,
  faults: readonly Fault[],
  random: () => number,
  untilMs: number,
): Promise<FaultRecord[]> {
  const records = new Map<string, FaultRecord>()
  do {
    for (const fault of shuffled(faults, random)) {
      const isFirst = !records.has(fault.name)
      if (!isFirst && performance.now() > untilMs) continue
      const counts = { tried: 0, survived: 0, lost: 0, disorder: 0, leaks: 0 }
      const record = records.get(fault.name) ?? {
        name: fault.name,
        database: stage.kind,
        ...counts,
        worstP99: null,
        failures: [],
      }
      records.set(fault.name, record)
      const outcome = await stage.suffer((here) => fault.run(here))
      noteOutcome(record, outcome, fault.sparesNeighbor)
      const { failure, lost, disorder, leaks, neighborP99 } = outcome
      const latency = neighborP99 === null ? '' : `, neighbor p99 ${Math.round(neighborP99)} ms`
      say(
        `  ${failure ?? 'survived'}: ${fault.name} (${lost} lost, ${disorder} out of order, ${leaks} leaks${latency})`,
      )
      if (failure !== null && !(await revive(stage))) return [...records.values()]
    }
  } while (performance.now() < untilMs)
  return [...records.values()]
}

/** Ensures a working server for the next fault after a failure; false if that is impossible. */
async function revive(stage: Stage): Promise<boolean> {
  const isServing = await stage.server.isReady().catch(() => false)
  if (isServing) return true
  try {
    await stage.server.close()
    await stage.server.start()
    await stage.replaceNeighbor().catch(() => undefined)
    return true
  } catch (error) {
    say(`  the server does not start again: ${(error as Error).message}`)
    return false
  }
}

/** Shuts the server down gracefully; returns how many of its processes and folders it left behind. */
async function end(stage: Stage): Promise<number> {
  await stage.close()
  if (await stage.server.isHealthy().catch(() => false)) await stage.server.kill('SIGTERM')
  else await stage.server.close()
  return (await stage.server.browsers()).length + stage.server.browserFolders()
}

/** Faults of one server. */
async function runOn(kind: StageKind, { isShort, only }: Choice, random: () => number, untilMs: number) {
  await using stack = new AsyncDisposableStack()
  const stage = await openStage(kind, stack)
  const chosen = FAULTS.filter(({ name, on }) => on.includes(kind) && name.includes(only))
  const wanted = chosen.filter((fault) => !isShort || fault.isShort)
  const skipped = wanted.flatMap((fault) => (fault.cannot?.(stage) ? [`${fault.name}: ${fault.cannot(stage)}`] : []))
  const possible = wanted.filter((fault) => !fault.cannot?.(stage))
  const records = await run(stage, possible, random, untilMs)
  const leftBehind = await end(stage)
  return { records, skipped, leftBehind, peakMegabytes: stage.server.peakMegabytes }
}

async function main(): Promise<number> {
  const choice = readChoice()
  if (!choice) {
    say(USAGE)
    return 2
  }
  const { seconds, seed, places, only, isShort } = choice
  const random = seededRandom(seed)
  const started = performance.now()
  const runs: FaultRun[] = []
  for (const [index, place] of places.entries()) {
    const untilMs = isShort ? 0 : started + (seconds * 1000 * (index + 1)) / places.length
    say(`${place}, seed ${seed}`)
    const began = performance.now()
    const result =
      place === 'machines'
        ? await faultsOfMachines({ random, untilMs, isShort, only, say })
        : await runOn(place, choice, random, untilMs)
    runs.push({ skipped: [], ...result, place, seed, seconds: (performance.now() - began) / 1000 })
  }
  const [ofServers, ofMachines] = [runs.filter(({ place }) => place !== 'machines'), runs.at(-1)!]
  if (!isShort && only === '') {
    if (ofServers.length === PLACES.length - 1) writeFaults(faultSection(ofServers))
    if (ofMachines.place === 'machines') writeMachineFaults(machineFaultSection(ofMachines))
  }
  for (const { skipped } of runs) for (const reason of skipped) say(`not tried: ${reason}`)
  say(summaryOf(runs))
  return runs.every(isClean) ? 0 : 1
}

/**
 * Runs in a mount namespace of its own, so that file systems mounted here disappear with this process in any case.
 */
function inOwnNamespace(): number | null {
  const IN_NAMESPACE = 'FAULTS_IN_NAMESPACE'
  if (process.getuid?.() !== 0 || process.env[IN_NAMESPACE] || spawnSync('unshare', ['-m', 'true']).status !== 0)
    return null
  const args = ['-m', '--propagation', 'private', process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const { status } = spawnSync('unshare', args, { stdio: 'inherit', env: { ...process.env, [IN_NAMESPACE]: '1' } })
  return status ?? 1
}

process.exitCode = inOwnNamespace() ?? (await main())
