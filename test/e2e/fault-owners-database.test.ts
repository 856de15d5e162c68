import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startScriptedSite, type ScriptedSite } from '../adapters/playwright/scripted-site.ts'
import { commandEnvironment, startTabwire, type RunningCommand } from '../support/command.ts'
import { startPostgres } from '../support/databases.ts'
import { seedEmbeddedDatabase } from '../support/embedded-template.ts'
import { leakGate } from '../support/leak-gate.ts'

/**
 * Every listener and timer of a database connection throws, or leaves a rejected promise, once; see
 * throwing-listeners.mjs. Each connection that the pool opens fails at one place that has not failed yet, and sessions
 * write and clients read and write all the while.
 */

vi.setConfig({ testTimeout: 1_200_000, hookTimeout: 240_000 })
leakGate()

const FIXTURE = join(import.meta.dirname, '..', 'support', 'throwing-listeners.mjs')

/** Reads of clients at once: more than there are connections. */
const SIDE_BY_SIDE = 16
/** Rounds without a new fault after which there are none left. */
const ENOUGH = 5
/** Lines of a shutdown, and of a slow start. */
const EXPECTED_LINES =
  /^(Ending the sessions; press Ctrl-C again to exit immediately\.|Still (opening the database|starting a browser) \(\d+ s\))\n/gm

/** Some of each kind must fail; otherwise the instrumentation is broken. */
const KINDS = [
  /^Socket 'connect'/,
  /^Socket 'data'/,
  /^Socket 'error'/,
  /^Socket 'close'/,
  /^Connection 'end'/,
  /^Connection 'error'/,
  /^Connection 'dataRow'/,
  /^Connection 'readyForQuery'/,
  /^OwnedClient 'error'/,
]

interface Found {
  fired: [place: string, { kind: string; how: 'throw' | 'reject' }][]
}

interface Reply<T> {
  data?: T | null
  errors?: { message: string; extensions: { code: string } }[]
}

interface Database {
  /** Configuration of a server that uses it. */
  env: Record<string, string>
  close(): Promise<void>
}

const DATABASES: Record<string, (dataDir: string) => Promise<Database>> = {
  PostgreSQL: async () => {
    const server = await startPostgres()
    return { env: { DATABASE_URL: server.url }, close: () => server.close() }
  },
  'the embedded database': async (dataDir) => {
    await seedEmbeddedDatabase(dataDir)
    return { env: {}, close: async () => {} }
  },
}

describe.for(Object.entries(DATABASES))('a fault in any listener of a connection to %s', ([, open]) => {
  let dataDir: string
  let database: Database
  let site: ScriptedSite
  let server: RunningCommand
  let control: string
  let serverUrl: string
  let apiKey: string

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tabwire-db-owners-'))
    database = await open(dataDir)
    site = await startScriptedSite({
      lines: `let n = 0; setInterval(() => console.log('line ' + (n += 1)), 10)`,
    })
    const env = commandEnvironment(dataDir, {
      NODE_OPTIONS: `--import=${FIXTURE}`,
      TABWIRE_LOG_LEVEL: 'fatal',
      ...database.env,
    })
    server = startTabwire(['serve'], env)
    control = `http://127.0.0.1:${(await server.printed(/^control (\d+)$/m))[1]}`
    serverUrl = (await server.printed(/^Tabwire listens on (\S+)$/m))[1]!
    apiKey = (await readFile(join(dataDir, 'api-key'), 'utf8')).trim()
  })

  afterAll(async () => {
    // Only after a failure.
    if (server.child.exitCode === null) server.child.kill('SIGKILL')
    await server.finished
    await site.close()
    await database.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  const found = async () => (await (await fetch(control)).json()) as Found
  const mode = async (query: string) => void (await fetch(`${control}/mode${query}`))

  async function ask<T>(query: string, variables: object = {}): Promise<Reply<T>> {
    const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' }
    const body = JSON.stringify({ query, variables })
    const response = await fetch(`${serverUrl}/graphql`, { method: 'POST', headers, body })
    return (await response.json()) as Reply<T>
  }

  /** Retries until the database was available, and accepts no other error. */
  async function must<T>(query: string, variables: object = {}): Promise<T> {
    for (;;) {
      const { data, errors } = await ask<T>(query, variables)
      if (errors === undefined) return data!
      expect(errors.map(({ extensions }) => extensions.code)).toEqual(['DATABASE_UNAVAILABLE'])
    }
  }

  const start = async () =>
    (
      await must<{ startSession: { id: string } }>(
        'mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: LOADED) { id } }',
        { input: { initialPrompt: `${site.url}/page/lines`, idempotencyKey: crypto.randomUUID() } },
      )
    ).startSession.id

  const countOf = async (id: string) =>
    (
      await must<{ session: { consoleMessageCount: number } }>(
        'query ($id: ID!) { session(id: $id) { consoleMessageCount } }',
        { id },
      )
    ).session.consoleMessageCount

  const LINES = `query ($id: ID!, $last: Int) { session(id: $id) { status consoleMessageCount
    consoleMessages(last: $last) { nodes { text } } events(kinds: [ENTRIES_DROPPED], last: 1) { nodes { __typename } } } }`
  const LIST = `{ sessions(first: 10) { nodes { id name consoleMessages(last: 3) { nodes { text } } } } }`
  const NAME = `mutation ($id: ID!, $input: UpdateSessionInput!) { updateSession(id: $id, input: $input) { id name } }`

  interface Lines {
    session: {
      status: string
      consoleMessageCount: number
      consoleMessages: { nodes: { text: string }[] }
      events: { nodes: object[] }
    }
  }

  test('ends that connection, and costs nobody an entry or an answer', async () => {
    const ids = [await start(), await start()]
    await mode('?kinds=ConnectionFaults&thorough')
    for (let round = 1, quiet = 0, before = 0; quiet < ENOUGH; round += 1) {
      const counts = await Promise.all(ids.map(countOf))
      const read = Array.from({ length: SIDE_BY_SIDE }, () => must(LIST))
      const written = ids.map(async (id) => {
        const input = { name: `round ${round}` }
        expect(await must(NAME, { id, input })).toEqual({ updateSession: { id, name: input.name } })
      })
      await Promise.all([...read, ...written])
      for (const [index, id] of ids.entries()) {
        await expect.poll(() => countOf(id), { timeout: 300_000 }).toBeGreaterThan(counts[index]!)
      }
      const { length } = (await found()).fired
      quiet = length === before ? quiet + 1 : 0
      before = length
    }
    await mode('')

    expect(server.child.exitCode).toBeNull()
    const { fired } = await found()
    expect(fired.filter(([, { kind }]) => kind !== 'ConnectionFaults')).toEqual([])
    for (const way of ['throw', 'reject']) {
      const places = fired.filter(([, { how }]) => how === way).map(([place]) => place)
      for (const kind of KINDS) expect(places).toContainEqual(expect.stringMatching(kind))
    }
    for (const id of ids) {
      const { session } = await must<Lines>(LINES, { id, last: 1000 })
      expect(session).toMatchObject({ status: 'RUNNING', events: { nodes: [] } })
      const numbers = session.consoleMessages.nodes.map(({ text }) => Number(text.replace('line ', '')))
      expect(numbers).toEqual(numbers.map((_, index) => numbers[0]! + index))
      // None before them is missing either.
      expect(numbers.at(-1)! - session.consoleMessageCount).toBeGreaterThanOrEqual(0)
      expect(await countOf(id)).toBeGreaterThanOrEqual(numbers.at(-1)!)
    }

    server.child.kill('SIGTERM')
    const { code, stderr } = await server.finished
    expect([code, stderr.replaceAll(EXPECTED_LINES, '')]).toEqual([0, ''])
  })
})
