import { setTimeout as pause } from 'node:timers/promises'
import { megabytes, type Benchmark, type Workbench } from './benchmark.ts'
import { median, slope } from './measure.ts'
import { proportionalMegabytes } from './process-memory.ts'
import type { ServerProcess } from './server-process.ts'

const RUNS = 3
const STEPS = [0, 10, 20, 30]
const IN_PARALLEL = 5
/** For transient work of a start, such as the browser's own first requests. */
const SETTLE_MS = 500

const START = `mutation { startSession(input: { keepAlive: true }, waitUntil: RUNNING) { status } }`

/** Memory growth of the server per idle session, without browsers and warm pool. */
export const memorySlope: Benchmark = {
  name: 'memory',
  async run(workbench) {
    const runs: { x: number; y: number }[][] = []
    for (let run = 0; run < RUNS; run += 1) {
      runs.push(await measureGrowth(workbench))
    }
    const slopes = runs.map((points) => slope(points))
    const at = (sessions: number) => median(runs.map((points) => points.find(({ x }) => x === sessions)!.y))
    return [
      {
        id: 'memory',
        what: 'memory of the server: slope of PSS over 0, 10, 20, 30 idle sessions',
        baseline: `${megabytes(at(0))} with none`,
        measured: `${megabytes(at(STEPS.at(-1)!))} with ${STEPS.at(-1)!}`,
        figure: median(slopes),
        unit: 'MB',
        must: 3,
        aim: 1,
        spread: [Math.min(...slopes), Math.max(...slopes)],
      },
    ]
  },
}

async function measureGrowth({ meter, startServer, restart, stop }: Workbench): Promise<{ x: number; y: number }[]> {
  // The first start creates the embedded database in the server's own memory, which would be freed while sessions
  // start.
  const server = await restart(await startServer({ TABWIRE_WARM_BROWSERS: '0', TABWIRE_MAX_SESSIONS: '40' }))
  const points = await meter.during('measured', () => startStepByStep(server))
  await stop(server)
  return points
}

async function startStepByStep(server: ServerProcess): Promise<{ x: number; y: number }[]> {
  const points: { x: number; y: number }[] = []
  let sessions = 0
  const startOne = async () => {
    const { startSession } = await server.client.query<{ startSession: { status: string } }>(START)
    if (startSession.status !== 'RUNNING') throw new Error(`a session is ${startSession.status}`)
  }
  for (const wanted of STEPS) {
    for (; sessions < wanted; sessions += IN_PARALLEL) await Promise.all(Array.from({ length: IN_PARALLEL }, startOne))
    await pause(SETTLE_MS)
    await server.collect()
    points.push({ x: wanted, y: proportionalMegabytes(server.pid) })
  }
  return points
}
