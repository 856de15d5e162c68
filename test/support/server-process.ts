import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandEnvironment, startProgram, type RunningCommand } from './command.ts'
import type { Answer } from './start-app.ts'

/** A server in a process of its own, which may be killed or suspended. */
export interface ServerProcess {
  readonly pid: number
  /** http://127.0.0.1:<port>; another one after a restart. */
  readonly url: string
  /** Sends one operation over HTTP, which must succeed. */
  query<T>(query: string, variables?: Record<string, unknown>): Promise<T>
  kill(signal: NodeJS.Signals): Promise<void>
  /** The same data directory, in a new process. */
  restart(): Promise<void>
  /** Ends it if it still runs, and removes its data directory. */
  close(): Promise<void>
}

/** Of this checkout: an earlier version may have none. */
const DRIZZLE_IMPORTS = join(import.meta.dirname, '..', '..', 'scripts', 'drizzle-imports.mjs')

/** `root`: where the sources are; default: those of this checkout. */
export async function startServerProcess(
  apiKey: string,
  env: Record<string, string>,
  root?: string,
): Promise<ServerProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
  let running: RunningCommand
  let url = ''
  const start = async () => {
    const environment = commandEnvironment(dataDir, { TABWIRE_API_KEY: apiKey, ...env })
    running = startProgram(process.execPath, ['--import', DRIZZLE_IMPORTS, 'src/main.ts', 'serve'], environment, root)
    url = (await running.printed(/http:\/\/127\.0\.0\.1:\d+/))[0]
  }
  await start()
  return {
    get pid() {
      return running.child.pid!
    },
    get url() {
      return url
    },
    async query<T>(query: string, variables = {}) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
        body: JSON.stringify({ query, variables }),
      })
      const { data, errors } = (await response.json()) as Answer<T>
      if (errors || !data) throw new Error(`the operation failed: ${JSON.stringify(errors)}`)
      return data
    },
    async kill(signal) {
      const exited = once(running.child, 'exit')
      running.child.kill(signal)
      await exited
    },
    restart: start,
    async close() {
      const { child } = running
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGCONT')
        child.kill('SIGTERM')
        await exited
      }
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
