import type { Browser } from 'playwright'
import type { CpuMeter } from './cpu-time.ts'
import type { LocalSite } from './local-site.ts'
import type { DatabaseKind, DatabaseSpace } from './database-space.ts'
import type { ServerProcess } from './server-process.ts'

/** A measured number with its limit and aim. */
export interface Finding {
  /** Key of its note in notes.ts, too. */
  id: string
  what: string
  baseline: string
  measured: string
  /** Compared with `must` and `aim`, as an upper bound. */
  figure: number
  unit: '×' | 'ms' | 'ms more' | 'MB'
  /** Minimum and maximum figure of the parts of the run. */
  spread: [number, number]
  must: number
  aim: number
}

export interface SeededServer {
  server: ServerProcess
  space: DatabaseSpace
}

/** Environment of a benchmark. */
export interface Workbench {
  site: LocalSite
  meter: CpuMeter
  /** A bare Playwright browser, warm: the same executable as the sessions'. */
  browser: Browser
  database: DatabaseKind
  /** An empty database, for servers that the benchmark starts itself. The workbench closes it after the benchmark. */
  createSpace(): Promise<DatabaseSpace>
  /** A server with an empty database. The workbench closes it after the benchmark. */
  startServer(environment?: Record<string, string>): Promise<ServerProcess>
  /** A server with the database filled by seed.ts. The workbench closes it after the benchmark. */
  startSeededServer(environment?: Record<string, string>): Promise<SeededServer>
  /** Closes the server and starts it again with the same database. */
  restart(server: ServerProcess): Promise<ServerProcess>
  /** Closes the server before the benchmark ends. */
  stop(server: ServerProcess): Promise<void>
}

export interface Benchmark {
  name: string
  /** Findings cover the meter's readings since the previous ones. */
  run(workbench: Workbench): Promise<Finding[]>
}

export type Verdict = 'aim reached' | 'reached' | 'falls short'

export function verdictOf({ figure, must, aim }: Finding): Verdict {
  if (figure <= aim) return 'aim reached'
  return figure <= must ? 'reached' : 'falls short'
}

const precise = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

export const milliseconds = (value: number) => `${precise(value)} ms`
export const megabytes = (value: number) => `${precise(value)} MB`

/** A figure as displayed in tables. */
export function showFigure(figure: number, unit: Finding['unit']): string {
  if (unit === '×') return `${figure.toFixed(2)}×`
  if (unit === 'ms') return milliseconds(figure)
  return unit === 'MB' ? megabytes(figure) : `${figure < 0 ? '−' : '+'}${milliseconds(Math.abs(figure))}`
}
