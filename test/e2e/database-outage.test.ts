import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { SPACE_MARKS } from '../../src/domain/artifacts/free-space.ts'
import { openRawSocket, initRawSocket } from '../server/raw-socket.ts'
import { startCuttableProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { startPostgres, type TestPostgres } from '../support/databases.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

const QUERY = '{ viewer { apiKeys { id } } }'
const CREATE_KEY = 'mutation { createApiKey(input: { name: "another", scopes: [READ] }) { secret } }'

const askOf =
  (tabwire: () => TestApp) =>
  async (query: string, key: string, accept = 'application/json') => {
    const response = await fetch(`${tabwire().url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key, accept },
      body: JSON.stringify({ query }),
    })
    const { errors, data } = (await response.json()) as { errors?: { extensions: { code: string } }[]; data?: unknown }
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      extensions: errors?.[0]?.extensions,
      data,
    }
  }

const readyOf = (tabwire: () => TestApp) => async () => {
  const response = await fetch(`${tabwire().url}/ready`)
  const { missing } = (await response.json()) as { missing: string[] }
  return { status: response.status, missing }
}

describe('while PostgreSQL', () => {
  let server: TestPostgres
  let network: CuttableProxy
  let site: TestSite
  let app: TestApp
  const tabwire = () => app
  const { start, terminate } = sessionApi(tabwire)
  const ask = askOf(tabwire)
  const ready = readyOf(tabwire)
  const READY = { status: 200, missing: [] }
  const UNAVAILABLE = { code: 'DATABASE_UNAVAILABLE', retryAfterSeconds: 2 }

  beforeAll(async () => {
    server = await startPostgres()
    network = await startCuttableProxy(server.url.replace('postgresql:', 'http:'))
    const url = new URL(server.url)
    url.host = new URL(network.url).host
    site = await startTestSite()
    app = await startTestApp({ database: { kind: 'server', url: url.href }, warmBrowsers: 0 })
  })
  afterAll(async () => {
    network.mend()
    await app.close()
    await network.close()
    await server.close()
    await site.close()
  })

  afterEach(async () => {
    network.mend()
    await back()
  })

  const administer = async (statement: string) => {
    const client = new pg.Client({ connectionString: server.url, options: '-c default_transaction_read_only=off' })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  const back = async () => {
    await expect.poll(ready).toEqual(READY)
  }
  /** Every entry of the session's log, whose texts are those of its console. */
  const readLog = (id: string) =>
    readEntireLog<{ sequence: number; text?: string }>(app, id, '__typename sequence ... on ConsoleMessage { text }')

  test('is away, each way in says so and when to come back, and the log of a session misses nothing', async () => {
    const { createApiKey } = await app.query<{ createApiKey: { secret: string } }>(CREATE_KEY)
    const unknownYet = createApiKey.secret
    const session = await start({ initialPrompt: `${site.url}/console` }, 'LOADED')
    const evaluate = (text: string) =>
      app.send(
        `mutation ($id: ID!, $text: String!) { runActions(sessionId: $id, actions: [
          { evaluate: { expression: $text } }]) { success } }`,
        { id: session.id, text: `console.log(${JSON.stringify(text)})` },
      )
    await evaluate('before')
    const code = new URL(app.app.signInUrl('dashboard')).hash.slice('#code='.length)
    const signIn = () =>
      fetch(`${app.url}/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ code }),
      })
    // A key that was found valid just now is known without the database.
    expect(await ask('{ __typename }', app.apiKey)).toMatchObject({ status: 200 })
    const open = await initRawSocket(app.url, { 'X-API-Key': app.apiKey })
    network.cut()

    expect(await ask(QUERY, app.apiKey)).toMatchObject({ retryAfter: '2', extensions: UNAVAILABLE })
    expect(await ask(QUERY, unknownYet)).toMatchObject({ status: 503, retryAfter: '2', extensions: UNAVAILABLE })
    expect(await ask(QUERY, unknownYet, 'application/graphql-response+json')).toMatchObject({
      status: 503,
      extensions: UNAVAILABLE,
    })
    for (const query of [
      QUERY,
      CREATE_KEY,
      `subscription { sessionEvents(sessionId: "${session.id}", after: "x") { cursor } }`,
    ]) {
      open.send({ id: query, type: 'subscribe', payload: { query: query.replace(', after: "x"', '') } })
    }
    const refusal = await open.message('next', QUERY)
    expect(refusal.payload?.errors?.[0]?.extensions).toEqual(UNAVAILABLE)
    const change = await open.message('next', CREATE_KEY)
    expect(change.payload?.errors?.[0]?.extensions).toEqual(UNAVAILABLE)
    const late = await openRawSocket(app.url)
    late.send({ type: 'connection_init', payload: { 'X-API-Key': unknownYet } })
    expect(await late.closed).toEqual({ code: 1013, reason: expect.stringMatching(/^DATABASE_UNAVAILABLE: /) })
    const refused = await signIn()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await refused.json()).toMatchObject({ error: { code: 'DATABASE_UNAVAILABLE' } })
    await expect.poll(ready).toEqual({ status: 503, missing: ['the database cannot be reached'] })
    expect((await fetch(`${app.url}/health`)).status).toBe(200)
    const during = evaluate('during')

    network.mend()
    await during
    await back()
    await evaluate('after')
    expect((await signIn()).status).toBe(200)
    expect((await terminate(session.id)).status).toBe('CLOSED')
    const nodes = await readLog(session.id)
    expect(nodes.map(({ sequence }) => sequence)).toEqual(nodes.map((_, index) => index + 1))
    const texts = nodes.map(({ text }) => text)
    expect(texts).toEqual(expect.arrayContaining(['before', 'during', 'after']))
    open.socket.close()
    await open.closed
  })

  test('stands still, nothing waits for it: not /ready, and no operation', async () => {
    expect(await ask(QUERY, app.apiKey)).toMatchObject({ status: 200, extensions: undefined })
    network.stall()
    const waiting = ask(QUERY, app.apiKey)
    await expect.poll(ready).toEqual({ status: 503, missing: ['the database does not answer'] })
    expect((await waiting).extensions).toEqual(UNAVAILABLE)
    expect((await ask(QUERY, app.apiKey)).extensions).toEqual(UNAVAILABLE)
    network.mend()
    await back()
    expect(await ask(QUERY, app.apiKey)).toMatchObject({ status: 200, extensions: undefined })
  })

  test('is read-only, /ready says so and reading goes on', async () => {
    const set = async (value: string) => {
      const name = new URL(server.url).pathname.slice(1)
      await administer(`alter database "${name}" set default_transaction_read_only = ${value}`)
      await administer(
        // Waits until each has ended: one that is about to end could still be given a query.
        `select pg_terminate_backend(pid, 30000) from pg_stat_activity where application_name = 'tabwire' and datname = '${name}'`,
      )
    }
    await set('on')
    await expect.poll(ready).toEqual({ status: 503, missing: ['the database is read-only'] })
    expect((await app.query<{ viewer: object }>(QUERY)).viewer).toBeDefined()
    expect((await ask('mutation { startSession { id } }', app.apiKey)).extensions).toEqual(UNAVAILABLE)
    await set('off')
    await back()
    await app.query(CREATE_KEY)
  })
})

test('a server that is shut down on a full disk says so, starts on it, and ends what was left once there is room', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tabwire-full-'))
  const config = { dataDir, warmBrowsers: 0 }
  const marks = { ...SPACE_MARKS }
  const first = await startTestApp(config, undefined, { spaceMarks: marks })
  const session = await sessionApi(() => first).start()
  const { uploadArtifact } = await first.query<{ uploadArtifact: { id: string } }>(
    'mutation ($id: ID!) { uploadArtifact(sessionId: $id, name: "a", base64: "QQ==") { id } }',
    { id: session.id },
  )
  const query = 'subscription ($id: ID!) { sessionEvents(sessionId: $id) { live } }'
  const batches = first.client().iterate<{ sessionEvents: { live: boolean } }>({ query, variables: { id: session.id } })
  await batches.next()
  const full = Number.MAX_SAFE_INTEGER
  Object.assign(marks, { lowBytes: full, enoughBytes: full, reservedBytes: full, untouchedBytes: full })
  await expect.poll(async () => (await readyOf(() => first)()).status).toBe(503)
  const said: (string | undefined)[] = []
  const receiving = (async () => {
    for await (const { errors } of batches)
      said.push(...(errors ?? []).map(({ extensions }) => String(extensions?.['code'])))
  })()
  await first.app.close()
  await receiving
  expect(said).toEqual(['DATABASE_UNAVAILABLE'])
  await first.close()

  const second = await startTestApp(config, undefined, { spaceMarks: marks })
  const missing = [expect.stringMatching(/^only \d+ MiB are free where data is stored/)]
  expect(await readyOf(() => second)()).toEqual({ status: 503, missing })
  const LIST = '{ sessions(includeTerminated: true) { nodes { status endReason } } }'
  const list = async () => (await second.query<{ sessions: { nodes: object[] } }>(LIST)).sessions.nodes
  expect(await list()).toEqual([{ status: 'RUNNING', endReason: null }])
  const ask = askOf(() => second)
  expect(await ask('mutation { startSession { id } }', second.apiKey)).toMatchObject({
    extensions: { code: 'STORAGE_FULL' },
  })
  expect(await ask(`mutation { deleteArtifact(id: "${uploadArtifact.id}") }`, second.apiKey)).toMatchObject({
    extensions: undefined,
  })
  Object.assign(marks, SPACE_MARKS)
  await expect.poll(list).toEqual([{ status: 'FAILED', endReason: 'MACHINE_LOST' }])
  const last = `query ($id: ID!) { session(id: $id) { events(last: 2) { nodes { __typename ... on EntriesDropped { reason count } } } } }`
  expect(await second.query(last, { id: session.id })).toMatchObject({
    session: { events: { nodes: [{ reason: 'TERMINATED', count: null }, { __typename: 'StatusChange' }] } },
  })
  await second.close()
  await rm(dataDir, { recursive: true })
})

describe('an almost full disk', () => {
  const marks = { ...SPACE_MARKS }
  let site: TestSite
  let app: TestApp
  const tabwire = () => app
  const { start, get, terminate } = sessionApi(tabwire)
  const ask = askOf(tabwire)
  const ready = readyOf(tabwire)

  beforeAll(async () => {
    site = await startTestSite()
    app = await startTestApp({ warmBrowsers: 0 }, undefined, { spaceMarks: marks })
  })
  afterAll(async () => {
    await app.close()
    await site.close()
  })

  test('lets no session start and keeps no file, and says why, while the logs of others go on', async () => {
    const session = await start({ initialPrompt: `${site.url}/console` }, 'LOADED')
    marks.lowBytes = Number.MAX_SAFE_INTEGER
    marks.enoughBytes = Number.MAX_SAFE_INTEGER
    await expect.poll(async () => (await ready()).status).toBe(503)
    expect((await ready()).missing).toEqual([expect.stringMatching(/^only \d+ MiB are free where data is stored/)])
    const refused = await ask('mutation { startSession { id } }', app.apiKey)
    expect(refused).toMatchObject({ retryAfter: '10', extensions: { code: 'STORAGE_FULL', retryAfterSeconds: 10 } })
    const take = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ screenshot: {} }]) { error { code } } }`
    const { runActions } = await app.query<{ runActions: { error: { code: string } | null }[] }>(take, {
      id: session.id,
    })
    expect(runActions).toEqual([{ error: { code: 'STORAGE_FULL' } }])
    expect((await get(session.id))!.consoleMessageCount).toBeGreaterThan(0)
    Object.assign(marks, SPACE_MARKS)
    await expect.poll(async () => (await ready()).status).toBe(200)
    await terminate((await start()).id)
    await terminate(session.id)
  })
})
