import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { GraphqlClient } from './graphql-client.ts'
import { WARM_BROWSERS } from './warm-pool.ts'

export interface ServerProcess {
  pid: number
  /** http://127.0.0.1:<port> */
  url: string
  client: GraphqlClient
  apiKey: string
  /** Resolves when the server has completed a garbage collection. */
  collect(): Promise<void>
  close(): Promise<void>
}

export interface ServerOptions {
  environment: Record<string, string>
  /** Directory for a CPU profile of the server; null for none. */
  profileDir: string | null
  /** Default: what `npm start` runs. */
  program?: readonly string[]
}

const ROOT = join(import.meta.dirname, '..')
const START = [join(ROOT, 'scripts', 'run.mjs'), 'start']
/** The same for all servers, since some take over the database of another. */
const API_KEY = randomBytes(24).toString('base64url')

/** A server that does not end by then is killed. */
const CLOSE_MS = 30_000

/** Starts the server under test as `npm start` does, and waits until it is ready. It ends with this process. */
export async function startServer({ environment, profileDir, program = START }: ServerOptions): Promise<ServerProcess> {
  const profiling = profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]
  const child = spawn(
    process.execPath,
    ['--expose-gc', ...profiling, `--import=${join(import.meta.dirname, 'collect-on-demand.mjs')}`, ...program],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...process.env,
        TABWIRE_LOG_LEVEL: 'warn',
        TABWIRE_WARM_BROWSERS: String(WARM_BROWSERS),
        TABWIRE_API_KEY: API_KEY,
        PORT: '0',
        ...environment,
      },
    },
  )
  passOn(child.stderr!)
  const exited = once(child, 'exit')
  const ended = exited.then(([code, signal]): never => {
    throw new Error(`the server under test ended (${String(code ?? signal)})`)
  })
  // It rejects eventually, when it is no longer awaited.
  ended.catch(() => {})
  const url = await Promise.race([urlPrinted(child.stdout!), ended])
  const client = new GraphqlClient(url, API_KEY)
  return {
    pid: child.pid!,
    url,
    client,
    apiKey: API_KEY,
    collect: async () => {
      const collected = once(child, 'message')
      child.send('collect')
      await Promise.race([collected, ended])
    },
    close: async () => {
      await client.close()
      child.kill('SIGTERM')
      const overdue = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS)
      await exited
      clearTimeout(overdue)
    },
  }
}

/** Reads all of its output; otherwise the pipe would fill up. */
function urlPrinted(output: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    createInterface(output).on('line', (line) => {
      const [, url] = /^Tabwire listens on (\S+)$/.exec(line) ?? []
      if (url !== undefined) resolve(url)
    })
  })
}

/** Forwards its log, without the lines about its start and end. */
function passOn(output: NodeJS.ReadableStream): void {
  createInterface(output).on('line', (line) => {
    if (!/^(set-up: |Ending the sessions)/.test(line)) process.stderr.write(`${line}\n`)
  })
}
