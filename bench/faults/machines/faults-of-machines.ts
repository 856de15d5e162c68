import type { FaultRecord } from '../fault-report.ts'
import { seededRandom } from '../random.ts'
import { judge, leaks, untilWhole } from './judgement.ts'
import { openCluster, type MachineCluster } from './machine-cluster.ts'
import { MachineLoad } from './machine-load.ts'
import { describeStorm, hitBy, planStorm, weather, type Strike } from './storm.ts'

/** Sessions that run when a storm begins, and those that are started during it. */
const LOAD = { before: 3, during: 4, actors: 3 }
const SHORT_LOAD = { before: 3, during: 2, actors: 2 }

interface MachineRun {
  random: () => number
  /** By performance.now; at least one storm. */
  untilMs: number
  isShort: boolean
  /** Part of the names of faults. */
  only: string
  say: (line: string) => void
}

interface Outcome {
  failure: string | null
  lost: number
  disorder: number
  leaks: number
}

/** Storms over three machines, each of several faults at once, under load. */
export async function faultsOfMachines(run: MachineRun) {
  await using stack = new AsyncDisposableStack()
  const cluster = await openCluster(stack)
  await untilWhole(cluster)
  const records = new Map<string, FaultRecord>()
  do {
    const strikes = planStorm(run.random, run.isShort, run.only)
    if (strikes.length === 0) break
    run.say(`  ${describeStorm(strikes)}`)
    const outcome = await suffer(cluster, strikes, run)
    const { failure, lost, disorder, leaks: left } = outcome
    run.say(`  ${failure ?? 'survived'} (${lost} lost, ${disorder} out of order, ${left} leaks)`)
    note(records, strikes, outcome)
    // A cluster that has not recovered would fail whatever comes next.
    if (failure !== null) break
  } while (performance.now() < run.untilMs)
  let leftBehind = 0
  for (const { server } of cluster.machines) if (server.isRunning) await server.kill('SIGTERM')
  for (const { server } of cluster.machines) leftBehind += (await server.browsers()).length + server.browserFolders()
  const peakMegabytes = Math.max(...cluster.machines.map(({ server }) => server.peakMegabytes))
  return { records: [...records.values()], leftBehind, peakMegabytes }
}

/** Never rejects. */
async function suffer(cluster: MachineCluster, strikes: readonly Strike[], run: MachineRun): Promise<Outcome> {
  const outcome: Outcome = { failure: null, lost: 0, disorder: 0, leaks: 0 }
  // Of its own: how often it is asked depends on time, and the next storm must not.
  const load = new MachineLoad(cluster, seededRandom(run.random() * 2 ** 32))
  const { before, during, actors } = run.isShort ? SHORT_LOAD : LOAD
  const hit = new Set([...hitBy(strikes)].map((index) => cluster.machines[index]!.server.machineId))
  try {
    for (let count = 0; count < before; count += 1) await load.start()
    await load.untilHeard(before)
    load.begin(during, actors)
    await weather(cluster, strikes)
    await load.finish()
    Object.assign(outcome, await judge(cluster, load, hit))
  } catch (error) {
    const { message, cause } = error as Error
    outcome.failure = cause instanceof Error ? `${message} (${cause.message})` : message
    run.say(`  sessions that do not run: ${await load.describe()}`)
  } finally {
    await load.close()
  }
  outcome.leaks = await leaks(cluster)
  return outcome
}

/** What a storm has lost is counted at the first of its faults. */
function note(records: Map<string, FaultRecord>, strikes: readonly Strike[], outcome: Outcome): void {
  for (const [index, { fault }] of strikes.entries()) {
    const { name } = fault
    const empty = { tried: 0, survived: 0, lost: 0, disorder: 0, leaks: 0, worstP99: null, failures: [] }
    const record = records.get(name) ?? { name, database: 'machines', ...empty }
    records.set(name, record)
    record.tried += 1
    if (outcome.failure === null) record.survived += 1
    else record.failures.push(outcome.failure)
    if (index > 0) continue
    record.lost += outcome.lost
    record.disorder += outcome.disorder
    record.leaks += outcome.leaks
  }
}
