import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { megabytes, milliseconds, type Benchmark, type Finding, type Workbench } from './benchmark.ts'
import { compare, interleave, median, timed, type Pair } from './measure.ts'
import { proportionalMegabytes } from './process-memory.ts'

const ROOT = join(import.meta.dirname, '..')
const IMPORTS = 8
const STARTS = 8
const IDLE_SERVERS = 3
/** For transient work of a start. */
const SETTLE_MS = 2000

/** The minimum for a program that serves GraphQL, controls browsers and stores data in PostgreSQL. */
const LEAST = `await Promise.all(['graphql-yoga', 'playwright', 'pg'].map((name) => import(name)))`
const APP = `for (const name of ['app', 'store', 'browser-pool', 'http']) await import(\`./dist/\${name}.js\`)`

/** Cold start of a server: the code that it loads, the time until it is ready, its idle memory. */
export const startUp: Benchmark = {
  name: 'start-up',
  async run(workbench) {
    const findings = [await importing(), ...(await starting(workbench))]
    const idle = await idling(workbench)
    return idle ? [...findings, idle] : findings
  },
}

async function importing(): Promise<Finding> {
  const pairs = await interleave(
    IMPORTS,
    () => cpuOf(LEAST),
    () => cpuOf(APP),
  )
  const { baseline, measured } = compare(pairs)
  const each = pairs.map((pair) => pair.measured)
  return {
    id: 'import-cpu',
    what: 'CPU time of importing the app, beside graphql-yoga, playwright and pg alone',
    baseline: milliseconds(baseline),
    measured: milliseconds(measured),
    figure: measured,
    unit: 'ms',
    spread: [Math.min(...each), Math.max(...each)],
    must: 1200,
    aim: 600,
  }
}

/** CPU milliseconds of a process that runs only this program. */
async function cpuOf(program: string): Promise<number> {
  const tell = `const { user, system } = process.cpuUsage(); console.log((user + system) / 1000); process.exit()`
  return Number(await outputOf(`${program}; ${tell}`))
}

async function outputOf(program: string, nodeOptions: readonly string[] = []): Promise<string> {
  const child = spawn(process.execPath, [...nodeOptions, '--input-type=module', '-e', program], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`a program to compare with ended with ${String(code)}`)
  return output
}

async function starting({ createSpace }: Workbench): Promise<Finding[]> {
  const space = await createSpace()
  const environment = { ...space.environment, TABWIRE_LOG_LEVEL: 'warn', PORT: '0' }
  // Creates the database, too.
  await untilReady(environment)
  const firstLines: number[] = []
  const pairs: Pair[] = await interleave(
    STARTS,
    () => timed(() => outputOf(LEAST)),
    () => untilReady(environment, (elapsed) => firstLines.push(elapsed)),
  )
  const { baseline, measured, ratio, spread } = compare(pairs, 4)
  const readiness: Finding = {
    id: 'start-up',
    what: 'npm start until /ready, everything installed, against node importing graphql-yoga, playwright and pg, p50',
    baseline: milliseconds(baseline),
    measured: milliseconds(measured),
    figure: ratio,
    unit: '×',
    spread,
    must: 2.5,
    aim: 1.5,
  }
  const firstLine = median(firstLines)
  return [
    {
      id: 'first-line',
      what: 'npm start until its first line of output, those of npm aside, beside node importing the same, p50',
      baseline: milliseconds(baseline),
      measured: milliseconds(firstLine),
      figure: firstLine,
      unit: 'ms',
      spread: [Math.min(...firstLines), Math.max(...firstLines)],
      must: 1000,
      aim: 500,
    },
    readiness,
  ]
}

/**
 * Milliseconds from `npm start` until the server reports that it is ready. It has ended when this resolves.
 *
 * @param onFirstLine Called with the milliseconds until its first line.
 */
async function untilReady(
  environment: Record<string, string>,
  onFirstLine: (elapsed: number) => void = () => {},
): Promise<number> {
  let child: ReturnType<typeof spawn> | undefined
  let elapsed: number
  const startedAt = performance.now()
  try {
    elapsed = await timed(async () => {
      child = spawn('npm', ['start'], {
        cwd: ROOT,
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      // Set-up writes what it does to standard error. npm's repetition of the command is on standard output.
      child.stderr!.once('data', () => onFirstLine(performance.now() - startedAt)).resume()
      for await (const line of createInterface(child.stdout!)) {
        const [, url] = /^Tabwire listens on (\S+)$/.exec(line) ?? []
        if (url === undefined) continue
        while (!(await fetch(`${url}/ready`)).ok) await pause(5)
        return
      }
      throw new Error('npm start ended before the server was ready')
    })
  } finally {
    if (child) {
      const exited = once(child, 'exit')
      child.stdout!.resume()
      child.kill('SIGTERM')
      await exited
    }
  }
  return elapsed
}

/** Only on PostgreSQL: the embedded database is part of the server's own memory. */
async function idling({ database, startServer, stop }: Workbench): Promise<Finding | null> {
  if (database !== 'postgres') return null
  const readBare = `for (let round = 0; round < 4; round += 1) { gc(); await new Promise(setImmediate) }
    console.log(process.getBuiltinModule('fs').readFileSync('/proc/self/smaps_rollup', 'utf8'))`
  const bare: number[] = []
  const idle: number[] = []
  for (let round = 0; round < IDLE_SERVERS; round += 1) {
    const rollup = await outputOf(`${LEAST}; ${readBare}`, ['--expose-gc'])
    bare.push(Number(/^Pss:\s+(\d+) kB/m.exec(rollup)![1]) / 1024)
    const server = await startServer({ TABWIRE_WARM_BROWSERS: '0' })
    await pause(SETTLE_MS)
    await server.collect()
    idle.push(proportionalMegabytes(server.pid))
    await stop(server)
  }
  return {
    id: 'idle-memory',
    what: 'memory (PSS) of an idle server without warm browsers, beside graphql-yoga, playwright and pg alone',
    baseline: megabytes(median(bare)),
    measured: megabytes(median(idle)),
    figure: median(idle),
    unit: 'MB',
    spread: [Math.min(...idle), Math.max(...idle)],
    must: 150,
    aim: 110,
  }
}
