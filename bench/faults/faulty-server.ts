import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { processes } from '../../test/support/browser-processes.ts'
import { commandEnvironment, startProgram, type Finished, type RunningCommand } from '../../test/support/command.ts'
import { GraphqlClient } from '../graphql-client.ts'
import { eventually } from './eventually.ts'

const START_MS = 120_000
const ROOT = join(import.meta.dirname, '..', '..')

/** What is run: the sources, or the bundle that `npm start` serves, which starts in less time. */
const PROGRAMS = {
  sources: [join(ROOT, 'bin', 'tabwire.mjs'), 'serve'],
  bundle: [join(ROOT, 'scripts', 'run.mjs'), 'start'],
}

/** `tabwire serve` in a separate process, which can be killed, stopped and restarted with the same data. */
export class FaultyServer {
  readonly dataDir: string
  readonly #environment: Record<string, string>
  readonly #program: readonly string[]
  #command: RunningCommand | null = null
  #url = ''
  #client: GraphqlClient | null = null
  peakMegabytes = 0
  #sampler: NodeJS.Timeout | undefined

  constructor(dataDir: string, environment: Record<string, string>, program: keyof typeof PROGRAMS = 'sources') {
    this.dataDir = dataDir
    this.#environment = environment
    this.#program = PROGRAMS[program]
  }

  get url(): string {
    return this.#url
  }

  get pid(): number {
    return this.#command!.child.pid!
  }

  get apiKey(): string {
    return this.#environment['TABWIRE_API_KEY'] ?? readFileSync(join(this.dataDir, 'api-key'), 'utf8').trim()
  }

  /** Over HTTP; replaced by each start. */
  get client(): GraphqlClient {
    return this.#client!
  }

  get machineId(): string {
    return readFileSync(join(this.dataDir, 'machine-id'), 'utf8').trim()
  }

  /** Resolves with its exit status when it has ended. */
  get finished(): Promise<Finished> {
    return this.#command!.finished
  }

  async start(): Promise<void> {
    const environment = commandEnvironment(this.dataDir, this.#environment)
    this.#command = startProgram(process.execPath, this.#program, environment)
    const [, url] = await this.#command.printed(/Tabwire listens on (http:\S+)/)
    this.#url = url!
    this.#client = new GraphqlClient(this.#url, this.apiKey)
    await eventually('the server is ready', START_MS, () => this.isReady())
    this.#sampler = setInterval(() => this.#sample(), 250)
  }

  async kill(signal: NodeJS.Signals): Promise<Finished> {
    const finished = this.finished
    process.kill(this.pid, signal)
    const how = await finished
    await this.#forget()
    return how
  }

  /** Whether its process is there, suspended or not. */
  get isRunning(): boolean {
    const child = this.#command?.child
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  async isHealthy(): Promise<boolean> {
    return (await fetch(`${this.#url}/health`, { signal: AbortSignal.timeout(5_000) })).ok
  }

  async isReady(): Promise<boolean> {
    return (await fetch(`${this.#url}/ready`, { signal: AbortSignal.timeout(5_000) })).ok
  }

  /** Pids of its browsers, without their helper processes. */
  async browsers(): Promise<number[]> {
    const all = await processes()
    const ours = all.filter(({ command }) => command.includes(`/tabwire-${this.machineId}/`))
    return ours.filter(({ command }) => !command.includes('--type=')).map(({ pid }) => pid)
  }

  async renderersOf(browser: number): Promise<number[]> {
    const all = await processes()
    const parents = new Map(all.map(({ pid, parent }) => [pid, parent]))
    const isBelow = (pid: number): boolean => pid === browser || (parents.has(pid) && isBelow(parents.get(pid)!))
    return all.filter(({ pid, command }) => command.includes('--type=renderer') && isBelow(pid)).map(({ pid }) => pid)
  }

  /** Number of browser folders in the temporary folder. */
  browserFolders(): number {
    const folder = join(tmpdir(), `tabwire-${this.machineId}`)
    // Only those of browsers: the folder has a marker of the server as well.
    return existsSync(folder)
      ? readdirSync(folder, { withFileTypes: true }).filter((one) => one.isDirectory()).length
      : 0
  }

  /** Also ends a suspended one. */
  async close(): Promise<void> {
    if (this.isRunning) await this.kill('SIGKILL')
    await this.#forget()
  }

  async #forget(): Promise<void> {
    clearInterval(this.#sampler)
    await this.#client?.close()
    this.#client = null
  }

  #sample(): void {
    try {
      const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8')
      const kilobytes = Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
      this.peakMegabytes = Math.max(this.peakMegabytes, Math.round(kilobytes / 1024))
    } catch {
      // It has already ended.
    }
  }
}
