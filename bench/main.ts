import { parseArgs } from 'node:util'
import { chromium, type Browser } from 'playwright'
import { findBrowserExecutable } from '../src/adapters/playwright/launch/browser-executable.ts'
import { showFigure, verdictOf, type Benchmark, type SeededServer, type Workbench } from './benchmark.ts'
import { consoleBurst } from './console-burst.ts'
import { CpuMeter } from './cpu-time.ts'
import { dashboardFrames } from './dashboard-frames.ts'
import {
  DATABASE_KINDS,
  openDatabaseSource,
  type DatabaseKind,
  type DatabaseSource,
  type DatabaseSpace,
} from './database-space.ts'
import { relay, wholeLife } from './connect.ts'
import { actions, observation, screenshot } from './drive.ts'
import { egress } from './egress.ts'
import { fairness } from './fairness.ts'
import { harExport } from './har-export.ts'
import { fetchedBodies } from './fetched-bodies.ts'
import { lineLatency } from './line-latency.ts'
import { startLocalSite, type LocalSite } from './local-site.ts'
import { memorySlope } from './memory-slope.ts'
import { pageCost } from './page-cost.ts'
import { replay } from './replay.ts'
import { markdownOf, printReports, type BenchmarkReport } from './report.ts'
import { writeBenchmarks } from './results-file.ts'
import { searchInterference } from './search-interference.ts'
import { seed } from './seed.ts'
import { startServer, type ServerProcess } from './server-process.ts'
import { slowReaders } from './slow-readers.ts'
import { socketMessages } from './socket-messages.ts'
import { startSession } from './start-session.ts'
import { startUp } from './start-up.ts'
import { uploadMemory } from './upload-memory.ts'

const BENCHMARKS: readonly Benchmark[] = [
  startUp,
  startSession,
  consoleBurst,
  fetchedBodies,
  lineLatency,
  socketMessages,
  searchInterference,
  fairness,
  replay,
  harExport,
  slowReaders,
  memorySlope,
  pageCost,
  actions,
  screenshot,
  observation,
  uploadMemory,
  relay,
  wholeLife,
  egress,
  dashboardFrames,
]

/** A whole run of one takes a tenth of it on a quiet machine. */
const BENCHMARK_MS = 20 * 60_000

const USAGE = `npm run bench -- [--only <name>,…] [--database ${DATABASE_KINDS.join('|')}] [--profile <directory>]
  --only      of ${BENCHMARKS.map(({ name }) => name).join(', ')}
  --profile   leave CPU profiles of the servers there
A run of all of them on both databases is kept in bench/RESULTS.md.`

interface Choice {
  benchmarks: readonly Benchmark[]
  databases: readonly DatabaseKind[]
  profileDir: string | null
}

function readChoice(): Choice | null {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, database: { type: 'string' }, profile: { type: 'string' } },
  })
  const names = values.only?.split(',')
  const benchmarks = names ? BENCHMARKS.filter(({ name }) => names.includes(name)) : BENCHMARKS
  const databases = DATABASE_KINDS.filter((kind) => values.database === undefined || kind === values.database)
  if (databases.length === 0 || (names && benchmarks.length !== names.length)) return null
  return { benchmarks, databases, profileDir: values.profile ?? null }
}

/** Runs benchmarks on one kind of database; owns the resources that they start. */
class DatabaseRun {
  readonly #source: DatabaseSource
  readonly #site: LocalSite
  readonly #browser: Browser
  readonly #profileDir: string | null
  #seeded: DatabaseSpace | null = null

  constructor(source: DatabaseSource, site: LocalSite, browser: Browser, profileDir: string | null) {
    this.#source = source
    this.#site = site
    this.#browser = browser
    this.#profileDir = profileDir
  }

  async run({ name, run }: Benchmark): Promise<BenchmarkReport> {
    await using opened = new AsyncDisposableStack()
    const running = new Map<ServerProcess, () => Promise<ServerProcess>>()
    const stop = async (server: ServerProcess) => {
      if (running.delete(server)) await server.close()
    }
    const meter = new CpuMeter(() => ({
      server: [...running.keys()][0]?.pid ?? null,
      postgres: this.#source.pid,
    }))
    const start = async (space: DatabaseSpace, environment: Record<string, string> = {}): Promise<ServerProcess> => {
      const server = await startServer({
        environment: { ...space.environment, ...environment },
        profileDir: this.#profileDir,
      })
      running.set(server, () => start(space, environment))
      opened.defer(() => stop(server))
      return server
    }
    const createSpace = async () => opened.adopt(await this.#source.create(), (created) => created.close())
    const workbench: Workbench = {
      site: this.#site,
      meter,
      browser: this.#browser,
      stop,
      restart: async (server) => {
        const startAgain = running.get(server)
        if (!startAgain) throw new Error('a server that does not run cannot be restarted')
        await stop(server)
        return startAgain()
      },
      database: this.#source.kind,
      createSpace,
      startServer: async (environment) => start(await createSpace(), environment),
      startSeededServer: async (environment): Promise<SeededServer> => {
        const space = await this.#seededSpace()
        return { server: await start(space, environment), space }
      },
    }
    const findings = await withinLimit(name, run(workbench))
    const cpu = { baseline: meter.used('baseline'), measured: meter.used('measured') }
    return { benchmark: name, database: this.#source.kind, findings, cpu }
  }

  async close(): Promise<void> {
    await this.#seeded?.close()
  }

  async #seededSpace(): Promise<DatabaseSpace> {
    if (this.#seeded) return this.#seeded
    const start = performance.now()
    this.#seeded = await this.#source.create()
    await seed(this.#seeded)
    console.log(`  (the database was filled in ${((performance.now() - start) / 1000).toFixed(1)} s)`)
    return this.#seeded
  }
}

/**
 * Rejects at the limit. What it waits for is closed then, so that it fails; on a machine with much other work, browsers
 * of the server have the lowest priority, and recording a session that takes 20 s may take an hour.
 */
async function withinLimit<T>(name: string, running: Promise<T>): Promise<T> {
  const limit = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    limit.reject(new Error(`${name} took more than ${BENCHMARK_MS / 60_000} minutes: is the machine busy?`))
  }, BENCHMARK_MS)
  // It may fail once nobody waits for it.
  running.catch(() => {})
  try {
    return await Promise.race([running, limit.promise])
  } finally {
    clearTimeout(timer)
  }
}

async function main(): Promise<number> {
  const choice = readChoice()
  if (!choice) {
    console.error(USAGE)
    return 2
  }
  const start = performance.now()
  await using opened = new AsyncDisposableStack()
  const site = opened.adopt(await startLocalSite(), (started) => started.close())
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] || null)
  const browser = opened.adopt(await chromium.launch({ executablePath }), (launched) => launched.close())
  const reports: BenchmarkReport[] = []
  const databases: string[] = []
  const failed: string[] = []
  for (const kind of choice.databases) {
    const source = opened.adopt(await openDatabaseSource(kind), (created) => created.close())
    const run = opened.adopt(new DatabaseRun(source, site, browser, choice.profileDir), (started) => started.close())
    databases.push(source.description)
    for (const benchmark of choice.benchmarks) {
      console.log(`${benchmark.name} on ${source.description}`)
      let report: BenchmarkReport
      try {
        report = await run.run(benchmark)
      } catch (error) {
        // What the others measured, in most of an hour, must not be lost with it.
        console.error(error)
        failed.push(`${benchmark.name} on ${kind}`)
        continue
      }
      reports.push(report)
      for (const finding of report.findings) {
        const { what, baseline, measured, figure, unit } = finding
        console.log(`  ${what}: ${baseline} → ${measured}, ${showFigure(figure, unit)}: ${verdictOf(finding)}`)
      }
    }
  }
  printReports(reports)
  if (failed.length > 0) {
    console.error(`not measured: ${failed.join(', ')}`)
    return 1
  }
  const isWhole = choice.benchmarks.length === BENCHMARKS.length && choice.databases.length === DATABASE_KINDS.length
  if (isWhole && choice.profileDir === null) {
    const seconds = (performance.now() - start) / 1000
    const text = markdownOf({ reports, browserVersion: browser.version(), databases, seconds })
    writeBenchmarks(text)
  }
  return 0
}

process.exitCode = await main()
