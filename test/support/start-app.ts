import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type Client } from 'graphql-ws'
import WebSocket from 'ws'
import { startApp, type App, type AppOptions } from '../../src/app.ts'
import { loadConfig, type Config } from '../../src/config.ts'
import { createLogger, type Logger } from '../../src/logger.ts'
import { WAIT_LIMITS } from './time-limits.ts'
import { seedEmbeddedDatabase } from './embedded-template.ts'
import { watchDirectoriesOf } from './leak-gate.ts'

export interface GraphQLError {
  message: string
  path?: (string | number)[]
  extensions: {
    code: string
    issues?: { path: (string | number)[]; code: string; message: string }[]
    [key: string]: unknown
  }
}

export interface Answer<T> {
  data?: T | null
  errors?: GraphQLError[]
}

export interface TestApp {
  app: App
  /** http://127.0.0.1:<port> */
  url: string
  apiKey: string
  dataDir: string
  /** Sends one operation over HTTP, like curl; null: without a key. */
  send<T>(query: string, variables?: Record<string, unknown>, apiKey?: string | null): Promise<Answer<T>>
  /** The same, for an operation that must succeed. */
  query<T>(query: string, variables?: Record<string, unknown>, apiKey?: string): Promise<T>
  /** A graphql-ws client; disposed with the app. */
  client(apiKey?: string): Client
  close(): Promise<void>
}

/** A complete Tabwire in this process: real Chromium, the embedded database, a real port. */
export async function startTestApp(
  overrides: Partial<Config> = {},
  logger?: Logger,
  options: AppOptions = {},
): Promise<TestApp> {
  const dataDir = overrides.dataDir ?? (await mkdtemp(join(tmpdir(), 'tabwire-test-')))
  const isEmbedded = (overrides.database ?? { kind: 'embedded' }).kind === 'embedded'
  if (isEmbedded && !existsSync(join(dataDir, 'database'))) await seedEmbeddedDatabase(dataDir)
  const environment = {
    PORT: '0',
    TABWIRE_WARM_BROWSERS: '1',
    TABWIRE_LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
  }
  const config: Config = { ...loadConfig(environment), dataDir, ...overrides }
  const app = await startApp(config, {
    bodyWaitMs: WAIT_LIMITS.timeout,
    ...options,
    // However long browsers take to start where too much else runs.
    deadlines: { launch: 600_000, ...options.deadlines },
    logger: logger ?? createLogger(config.logLevel),
  })
  await watchDirectoriesOf(dataDir)
  const clients: Client[] = []

  const send = async <T>(query: string, variables = {}, apiKey: string | null = app.apiKey): Promise<Answer<T>> => {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (apiKey) headers['x-api-key'] = apiKey
    const body = JSON.stringify({ query, variables })
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body })
    return (await response.json()) as Answer<T>
  }

  return {
    app,
    url: app.url,
    apiKey: app.apiKey,
    dataDir,
    send,
    async query<T>(query: string, variables = {}, apiKey = app.apiKey) {
      const { data, errors } = await send<T>(query, variables, apiKey)
      if (errors || !data) throw new Error(`the operation failed: ${JSON.stringify(errors)}`)
      return data
    },
    client(apiKey = app.apiKey) {
      const client = createClient({
        url: `${app.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { 'X-API-Key': apiKey },
        retryAttempts: 0,
      })
      clients.push(client)
      return client
    },
    async close() {
      for (const client of clients) await client.dispose()
      await app.close()
      if (!overrides.dataDir) await rm(dataDir, { recursive: true, force: true })
    },
  }
}
