import { createClient } from 'graphql-ws'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { checkOutEarlier, isInHistory } from '../support/earlier-version.ts'
import { freePort } from '../support/free-port.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { machineIdOf, startCluster, type TestCluster } from '../support/start-cluster.ts'
import type { TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

/**
 * This version beside an earlier one, on one PostgreSQL and one NATS, as while servers are replaced one after another. The
 * earlier one is the last whose starts have no count of lost machines: the first migration after it runs beside it.
 */
const EARLIER = '1922602553b87c33b5bc15525e97023975a60859'

/** A shallow clone, or a copy without history, has no earlier version: `git fetch --unshallow` brings it. */
const hasEarlier = await isInHistory(EARLIER)

const API_KEY = 'key-of-the-servers-of-this-test'
/** For a browser that starts where too much else runs. */
const STARTED = { timeout: 120_000 }

let site: TestSite
let cluster: TestCluster
let sources: Awaited<ReturnType<typeof checkOutEarlier>>
let database: pg.Client
let earlier: Server
let earlierProcess: ServerProcess
let current: Server
let app: TestApp

/** What the tests need of a server, in this process or in one of its own. */
interface Server {
  readonly url: string
  query<T>(query: string, variables?: Record<string, unknown>): Promise<T>
}

const migrations = async () =>
  (await database.query<{ count: number }>('select count(*)::int as count from drizzle.__drizzle_migrations')).rows[0]!
    .count

beforeAll(async () => {
  if (!hasEarlier) return
  sources = await checkOutEarlier(EARLIER)
  site = await startTestSite()
  cluster = await startCluster()
  database = new pg.Client({ connectionString: cluster.postgres.url })
  await database.connect()
  const PORT = String(await freePort())
  const own = { PORT, TABWIRE_INTERNAL_URL: `http://127.0.0.1:${PORT}` }
  earlierProcess = await startServerProcess(API_KEY, { ...cluster.environment, ...own }, sources.folder)
  earlier = earlierProcess
}, 300_000)
afterAll(async () => {
  await database?.end()
  await earlierProcess?.close()
  await cluster?.close()
  await site?.close()
  await sources?.[Symbol.asyncDispose]()
})

interface State {
  id: string
  status: string
  machineId: string | null
  endReason: string | null
}

const stateOf = async (server: Server, id: string) => {
  const query = 'query ($id: ID!) { session(id: $id) { id status machineId endReason } }'
  return (await server.query<{ session: State }>(query, { id })).session
}

async function start(server: Server): Promise<State> {
  const query = `mutation ($url: String) {
    startSession(input: { initialPrompt: $url }, waitUntil: LOADED) { id status machineId endReason } }`
  const { startSession } = await server.query<{ startSession: State }>(query, { url: `${site.url}/title` })
  // The server waits for 30 s.
  await expect.poll(() => stateOf(server, startSession.id), STARTED).toMatchObject({ status: 'RUNNING' })
  return await stateOf(server, startSession.id)
}

const evaluate = async (server: Server, id: string, ...expressions: string[]) => {
  const query = `mutation ($id: ID!, $actions: [ActionInput!]!) { runActions(sessionId: $id, actions: $actions) { result } }`
  const actions = expressions.map((expression) => ({ evaluate: { expression } }))
  const { runActions } = await server.query<{ runActions: { result: unknown }[] }>(query, { id, actions })
  return runActions.map(({ result }) => result)
}

interface Entry {
  __typename: string
  sequence: number
  text?: string
  to?: string
}

/** Follows the whole log. */
function follow({ url }: Server, id: string) {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { 'X-API-Key': API_KEY },
    retryAttempts: 0,
  })
  const entries: Entry[] = []
  const query = `subscription { sessionEvents(sessionId: "${id}") { entries {
    __typename sequence ... on ConsoleMessage { text } ... on StatusChange { to } } } }`
  const ended = (async () => {
    for await (const { data, errors } of client.iterate<{ sessionEvents: { entries: Entry[] } }>({ query })) {
      if (errors || !data) throw new Error(JSON.stringify(errors))
      entries.push(...data.sessionEvents.entries)
    }
    await client.dispose()
  })()
  return { entries, ended, lines: () => entries.flatMap(({ text }) => text ?? []) }
}

/** The session is driven, followed and ended through the other server; both have the same log of it. */
async function useThrough(other: Server, own: Server, id: string) {
  const [there, here] = [follow(other, id), follow(own, id)]
  expect(await evaluate(other, id, 'console.log("said through the other"); document.title')).toEqual(['A title'])
  // Together too large for a message: they go over a connection.
  const large = await evaluate(other, id, ...Array<string>(3).fill('"x".repeat(150_000)'))
  expect(large.map((result) => String(result).length)).toEqual([150_000, 150_000, 150_000])
  await expect.poll(there.lines).toContain('said through the other')
  const pages = 'query ($id: ID!) { session(id: $id) { pages { url } health { status } } }'
  const found = async () => (await other.query<{ session: object }>(pages, { id })).session
  await expect.poll(found).toEqual({ pages: [{ url: `${site.url}/title` }], health: { status: 'HEALTHY' } })
  const terminate = 'mutation ($id: ID!) { terminateSession(id: $id) { status endReason } }'
  expect(await other.query(terminate, { id })).toEqual({
    terminateSession: { status: 'CLOSED', endReason: 'TERMINATED' },
  })
  await Promise.all([there.ended, here.ended])
  expect(there.entries).toEqual(here.entries)
  expect(there.entries.map(({ sequence }) => sequence)).toEqual(there.entries.map((_, index) => index + 1))
  expect(there.entries.at(-1)).toMatchObject({ to: 'CLOSED' })
}

describe.skipIf(!hasEarlier)('this version beside an earlier one', () => {
  test(
    'a session of the earlier version continues while this one migrates, and is used through it',
    { timeout: 400_000 },
    async () => {
      const before = await migrations()
      const { id, machineId } = await start(earlier)
      const followed = follow(earlier, id)
      app = await cluster.start({ apiKey: API_KEY })
      current = app
      expect(await migrations()).toBeGreaterThan(before)
      const { machines } = await current.query<{ machines: { id: string; alive: boolean }[] }>(
        '{ machines { id alive } }',
      )
      expect(machines.map((machine) => machine.id).toSorted()).toEqual([machineId!, await machineIdOf(app)].toSorted())
      await evaluate(earlier, id, 'console.log("said after the migration")')
      await expect.poll(followed.lines).toContain('said after the migration')
      expect(await stateOf(current, id)).toMatchObject({ status: 'RUNNING', machineId })
      await useThrough(current, earlier, id)
      await followed.ended
    },
  )

  test('a session of this version is used through the earlier one', { timeout: 400_000 }, async () => {
    await cluster.startOnly(await machineIdOf(app))
    const { id, machineId } = await start(current)
    expect(machineId).toBe(await machineIdOf(app))
    await useThrough(earlier, current, id)
  })

  test('either starts what was accepted by the other', { timeout: 400_000 }, async () => {
    const idOfCurrent = await machineIdOf(app)
    const accepted = await start(earlier)
    expect(accepted.machineId).toBe(idOfCurrent)
    const { machines } = await current.query<{ machines: { id: string }[] }>('{ machines { id } }')
    const idOfEarlier = machines.map(({ id }) => id).find((id) => id !== idOfCurrent)!
    await cluster.startOnly(idOfEarlier)
    const other = await start(current)
    expect(other.machineId).toBe(idOfEarlier)
    await useThrough(earlier, current, accepted.id)
    await useThrough(current, earlier, other.id)
  })

  test(
    'the earlier version does not start again on the migrated database, and says why',
    { timeout: 400_000 },
    async () => {
      const { id } = await start(current)
      await earlierProcess.kill('SIGKILL')
      await expect(earlierProcess.restart()).rejects.toThrow('The database was changed by a newer version of Tabwire')
      await expect
        .poll(() => stateOf(current, id), STARTED)
        .toMatchObject({ status: 'FAILED', endReason: 'MACHINE_LOST' })
    },
  )
})
