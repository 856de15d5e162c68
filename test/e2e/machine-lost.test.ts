import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { browsersOf } from '../support/browser-processes.ts'
import { startCuttableProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { startPostgres, type TestPostgres } from '../support/databases.ts'
import { freezeProcesses } from '../support/freeze-process.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

/** Three servers on one PostgreSQL: one that is killed and suspended, and two that notice it. */

const API_KEY = 'key-of-the-servers-of-this-test'

let site: TestSite
let postgres: TestPostgres
let network: CuttableProxy
let owning: ServerProcess
let one: TestApp
let other: TestApp

beforeAll(async () => {
  site = await startTestSite()
  postgres = await startPostgres()
  network = await startCuttableProxy(postgres.url.replace('postgresql:', 'http:'))
  const url = new URL(postgres.url)
  url.host = new URL(network.url).host
  const overrides = { database: { kind: 'server', url: url.href }, apiKey: API_KEY, warmBrowsers: 0 } as const
  owning = await startServerProcess(API_KEY, { DATABASE_URL: url.href, TABWIRE_MAX_SESSIONS: '7' })
  // However long pages take to tell of the last that they did: what the log lacks at its end, then, was lost.
  one = await startTestApp(overrides, undefined, { deadlines: { flush: 600_000, files: 600_000 } })
  other = await startTestApp(overrides)
})
afterAll(async () => {
  await owning?.close()
  await one?.close()
  await other?.close()
  await network?.close()
  await postgres?.close()
  await site?.close()
})

interface Entry {
  __typename: string
  sequence: number
  to?: string
  endReason?: string
  reason?: string
  text?: string
}
const ENTRY = '__typename sequence ... on StatusChange { to endReason } ... on EntriesDropped { reason }'

interface Machine {
  id: string
  slots: number
  live: number
  alive: boolean
  lostAt: string | null
}
const MACHINES = '{ machines { id slots live alive lostAt } }'
const machineOf = async (app: TestApp, id: string) =>
  (await app.query<{ machines: Machine[] }>(MACHINES)).machines.find((machine) => machine.id === id)

async function start(idempotencyKey: string | null = null, on: Pick<TestApp, 'query'> = owning) {
  const query = `mutation ($input: StartSessionInput) {
    startSession(input: $input, waitUntil: LOADED) { id status machineId } }`
  type Started = { startSession: { id: string; status: string; machineId: string } }
  const input = { initialPrompt: `${site.url}/ticker?ms=20`, idempotencyKey }
  return (await on.query<Started>(query, { input })).startSession
}

const stateOf = async (app: TestApp, id: string) => {
  const query = 'query ($id: ID!) { session(id: $id) { status endReason error durationMs } }'
  return (await app.query<{ session: object }>(query, { id })).session
}

/** Follows the whole log on another server, to its end. */
function follow(app: TestApp, id: string) {
  const entries: Entry[] = []
  const query = `subscription { sessionEvents(sessionId: "${id}") { entries { ${ENTRY} } } }`
  const ended = (async () => {
    for await (const { data, errors } of app.client().iterate<{ sessionEvents: { entries: Entry[] } }>({ query })) {
      if (errors || !data) throw new Error(JSON.stringify(errors))
      entries.push(...data.sessionEvents.entries)
    }
  })()
  return { entries, ended }
}

/** Calls with each list of machines until one is as expected. */
async function untilMachines(app: TestApp, isExpected: (machines: Machine[]) => boolean): Promise<void> {
  const query = 'subscription { machinesChanged { id slots live alive lostAt } }'
  for await (const { data, errors } of app.client().iterate<{ machinesChanged: Machine[] }>({ query })) {
    if (errors || !data) throw new Error(JSON.stringify(errors))
    if (isExpected(data.machinesChanged)) return
  }
}

const expectLost = (entries: readonly Entry[]) => {
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1))
  expect(entries.slice(-2)).toMatchObject([
    { __typename: 'EntriesDropped', reason: 'TERMINATED' },
    { __typename: 'StatusChange', to: 'FAILED', endReason: 'MACHINE_LOST' },
  ])
  expect(entries.filter(({ endReason }) => endReason)).toHaveLength(1)
}

const LOST = { status: 'FAILED', endReason: 'MACHINE_LOST', error: expect.stringMatching(/^The server of the session/) }

test('capacity is that of all servers, and machines tells them apart', async () => {
  const { id, machineId } = await start()
  await untilMachines(one, (machines) => machines.some((machine) => machine.id === machineId && machine.live === 1))
  expect(await machineOf(other, machineId)).toMatchObject({ slots: 7, live: 1, alive: true, lostAt: null })
  const capacity = async () => await other.query('{ capacity { total live queued } }')
  await expect.poll(capacity).toEqual({ capacity: { total: 47, live: 1, queued: 0 } })
  await owning.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  await expect.poll(capacity).toEqual({ capacity: { total: 47, live: 0, queued: 0 } })
})

/** The states of sessions that sessionChanged tells of on another server; of one session to its end. */
function changesOf(app: TestApp, id: string | null) {
  const states: string[] = []
  const query = `subscription ($id: ID) { sessionChanged(id: $id) { id name status endReason } }`
  type Change = { sessionChanged: { id: string; name: string | null; status: string; endReason: string | null } }
  const changes = app.client().iterate<Change>({ query, variables: { id } })
  const ended = (async () => {
    for await (const { data, errors } of changes) {
      if (errors || !data) throw new Error(JSON.stringify(errors))
      const { name, status, endReason } = data.sessionChanged
      const state = `${data.sessionChanged.id} ${name} ${endReason ?? status}`
      if (states.at(-1) !== state) states.push(state)
    }
  })()
  return { states, ended, stop: () => changes.return?.() }
}

test('sessionChanged tells of the sessions of other servers', async () => {
  const all = changesOf(one, null)
  const { id } = await start()
  const single = changesOf(other, id)
  await expect.poll(() => single.states).toEqual([`${id} null RUNNING`])
  await expect.poll(() => all.states).toContain(`${id} null RUNNING`)
  const named = 'mutation ($id: ID!) { updateSession(id: $id, input: { name: "renamed" }) { id } }'
  await owning.query(named, { id })
  await expect.poll(() => single.states).toContain(`${id} renamed RUNNING`)
  await expect.poll(() => all.states).toContain(`${id} renamed RUNNING`)
  const late = changesOf(other, null)
  await expect.poll(() => late.states).toEqual([`${id} renamed RUNNING`])
  await owning.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  await single.ended
  expect(single.states.at(-1)).toBe(`${id} renamed TERMINATED`)
  for (const followed of [all, late]) {
    await expect.poll(() => followed.states.at(-1)).toBe(`${id} renamed TERMINATED`)
    await followed.stop()
    await followed.ended
  }
})

test('kill -9: another server ends its sessions, once, and followers get the end', async () => {
  const { id, machineId } = await start('kept')
  const [here, there] = [follow(one, id), follow(other, id)]
  await expect.poll(() => here.entries.length).toBeGreaterThan(20)
  const changes = changesOf(other, id)
  await expect.poll(() => changes.states).toEqual([`${id} null RUNNING`])
  await owning.kill('SIGKILL')
  await Promise.all([here.ended, there.ended, changes.ended])
  expect(changes.states.at(-1)).toBe(`${id} null MACHINE_LOST`)
  expectLost(here.entries)
  expect(there.entries).toEqual(here.entries)
  expect(await stateOf(one, id)).toMatchObject(LOST)
  expect(await machineOf(one, machineId)).toMatchObject({ alive: false, lostAt: expect.any(String) })
  // The key still means that session.
  const again = `mutation ($url: String) { startSession(input: { initialPrompt: $url, idempotencyKey: "kept" }) { id } }`
  const { startSession } = await one.query<{ startSession: { id: string } }>(again, { url: `${site.url}/ticker?ms=20` })
  expect(startSession.id).toBe(id)

  await owning.restart()
  await expect.poll(() => machineOf(one, machineId)).toMatchObject({ alive: true, lostAt: null })
  expect(await readEntireLog<Entry>(other, id, ENTRY)).toEqual(here.entries)
})

test('suspended and resumed: what it lost stays ended, its browsers end, and it takes part again', async () => {
  const { id, machineId } = await start()
  const followed = follow(one, id)
  await expect.poll(() => followed.entries.length).toBeGreaterThan(20)
  expect((await browsersOf(owning.pid)).length).toBeGreaterThan(0)
  await freezeProcesses(owning.pid)
  await followed.ended
  expectLost(followed.entries)
  process.kill(owning.pid, 'SIGCONT')
  await expect.poll(() => browsersOf(owning.pid)).toEqual([])
  await expect.poll(() => machineOf(other, machineId)).toMatchObject({ live: 0, alive: true, lostAt: null })
  expect(await readEntireLog<Entry>(other, id, ENTRY)).toEqual(followed.entries)
  expect(await stateOf(other, id)).toMatchObject(LOST)
  const next = await start()
  expect(next).toMatchObject({ status: 'RUNNING', machineId })
  const { terminateSession } = await owning.query<{ terminateSession: object }>(
    'mutation ($id: ID!) { terminateSession(id: $id) { status endReason } }',
    { id: next.id },
  )
  expect(terminateSession).toEqual({ status: 'CLOSED', endReason: 'TERMINATED' })
})

/** By the clock of the database, and around the network that is cut. */
async function untilAll(condition: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    const ask = async () => {
      const { rows } = await client.query<{ all: boolean }>(
        `select bool_and(${condition}) as all from machines where left_at is null`,
      )
      return rows[0]?.all
    }
    await expect.poll(ask, { timeout: 60_000 }).toBe(true)
  } finally {
    await client.end()
  }
}

test('a failover of the database of 30 s ends no session and loses no entry', { timeout: 180_000 }, async () => {
  const { id } = await start(null, one)
  const linesOf = (entries: readonly Entry[]) => entries.flatMap(({ text }) => text ?? [])
  const read = () => readEntireLog<Entry>(other, id, `${ENTRY} ... on ConsoleMessage { text }`)
  await expect.poll(async () => linesOf(await read()).length).toBeGreaterThan(0)
  const before = linesOf(await read()).length
  network.cut()
  await untilAll("lease_until < now() - interval '20 seconds'")
  network.mend()
  // As long as whoever comes back first needs to wait before it takes away the leases of the others, and then some.
  await untilAll("lease_until > now() and steady_since < now() - interval '13 seconds'")
  expect(await stateOf(one, id)).toMatchObject({ status: 'RUNNING' })
  await one.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  await expect.poll(() => stateOf(other, id), { timeout: 60_000 }).toMatchObject({ status: 'CLOSED' })
  const entries = await read()
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1))
  expect(entries.filter(({ __typename }) => __typename === 'EntriesDropped')).toEqual([])
  // The page counts its lines.
  const lines = linesOf(entries)
  expect(lines.length).toBeGreaterThan(before)
  expect(lines).toEqual(lines.map((_, index) => `tick ${index + 1}`))
  expect(entries.at(-1)).toMatchObject({ to: 'CLOSED', endReason: 'TERMINATED' })
})

test('shut down, it is not listed any more', async () => {
  const { id, machineId } = await start()
  const gone = untilMachines(one, (machines) => !machines.some((machine) => machine.id === machineId))
  await owning.kill('SIGTERM')
  await gone
  expect(await stateOf(one, id)).toMatchObject({ status: 'CLOSED', endReason: 'SERVER_SHUTDOWN' })
})
