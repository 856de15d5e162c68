import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { GraphqlClient } from './graphql-client.ts'
import type { ServerOrder, ServerReport } from './server.ts'
import { WARM_BROWSERS } from './warm-pool.ts'

export interface ServerProcess {
  pid: number
  /** http://127.0.0.1:<port> */
  url: string
  client: GraphqlClient
  apiKey: string
  /** Resolves when the server has collected its garbage. */
  collect(): Promise<void>
  close(): Promise<void>
}

export interface ServerOptions {
  environment: Record<string, string>
  /** Directory to leave a CPU profile of the server in; null: none. */
  profileDir: string | null
}

/** Starts the server under test (bench/server.ts) and waits until it serves. */
export async function startServer({ environment, profileDir }: ServerOptions): Promise<ServerProcess> {
  const profiling = profileDir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), {
    execArgv: ['--expose-gc', ...profiling],
    env: {
      ...process.env,
      TABWIRE_LOG_LEVEL: 'warn',
      TABWIRE_WARM_BROWSERS: String(WARM_BROWSERS),
      ...environment,
      PORT: '0',
    },
  })
  const exited = once(child, 'exit')
  const tell = (order: ServerOrder) => child.send(order)
  const report = async <K extends ServerReport['kind']>(kind: K) => {
    const ended = exited.then(([code, signal]) => {
      throw new Error(`the server under test ended (${String(code ?? signal)})`)
    })
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [ServerReport]
    if (message.kind !== kind) throw new Error(`the server under test said ${message.kind} where ${kind} was due`)
    return message as Extract<ServerReport, { kind: K }>
  }

  const { url, apiKey } = await report('ready')
  const client = new GraphqlClient(url, apiKey)
  return {
    pid: child.pid!,
    url,
    client,
    apiKey,
    collect: async () => {
      const collected = report('collected')
      tell({ kind: 'collect' })
      await collected
    },
    close: async () => {
      await client.close()
      if (child.connected) tell({ kind: 'close' })
      await exited
    },
  }
}
