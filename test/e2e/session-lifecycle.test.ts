import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { SESSION, sessionApi, type SessionData } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'

leakGate()

let site: TestSite
let tabwire: TestApp

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ maxSessions: 3, maxQueued: 2, warmBrowsers: 1 })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

const { start, get, limit, terminate } = sessionApi(() => tabwire)
const { run } = actionApi(() => tabwire)

async function statusesOf(id: string): Promise<string[]> {
  const changes = await readEntireLog<{ to: string }>(tabwire, id, '... on StatusChange { to }', {
    only: 'kinds: [STATUS_CHANGE]',
  })
  return changes.map(({ to }) => to)
}

describe('startSession', () => {
  test('answers at once with CREATING and a machine, and then runs', async () => {
    const created = await start({}, 'CREATING')
    expect(created).toMatchObject({ status: 'CREATING', endReason: null, startedAt: null, endedAt: null })
    expect(created.machineId).toEqual(expect.any(String))
    expect(created.expiresAt).toEqual(expect.any(String))
    await expect.poll(async () => (await get(created.id))?.status).toBe('RUNNING')
    await terminate(created.id)
  })

  test('waitUntil LOADED answers when the page has loaded, with its title and counts', async () => {
    const session = await start({ initialPrompt: `${site.url}/title`, name: 'titled', metadata: { run: 7 } }, 'LOADED')
    expect(session).toMatchObject({ status: 'RUNNING', name: 'titled', metadata: { run: 7 } })
    expect(session.currentUrl).toBe(`${site.url}/title`)
    expect(session.viewport).toEqual({ width: 1920, height: 1080 })
    await expect.poll(async () => (await get(session.id))?.networkRequestCount).toBeGreaterThan(0)
    await expect.poll(async () => (await get(session.id))?.title).not.toBe('')
    await expect.poll(async () => (await get(session.id))?.navigationCount).toBeGreaterThan(0)
    expect((await get(session.id))?.pages).toMatchObject([{ id: 'p1', url: `${site.url}/title` }])
    await terminate(session.id)
  })

  test('a page that cannot be reached is data, not an error', async () => {
    const session = await start({ initialPrompt: 'http://127.0.0.1:9/' }, 'LOADED')
    expect(session.status).toBe('RUNNING')
    await terminate(session.id)
  })

  test('every broken rule is reported at once and no session is started', async () => {
    const before = await tabwire.query<{ capacity: { live: number } }>('{ capacity { live } }')
    const input = {
      idleTimeoutSeconds: 0,
      maxDurationSeconds: 0,
      viewport: { width: 1, height: 1 },
      initialPrompt: 'file:///etc/passwd',
    }
    const { errors } = await tabwire.send(
      'mutation ($input: StartSessionInput) { startSession(input: $input) { id } }',
      { input },
    )
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
    expect(errors?.[0]?.extensions.issues?.map(({ path }) => path.join('.')).toSorted()).toEqual([
      'input.idleTimeoutSeconds',
      'input.initialPrompt',
      'input.maxDurationSeconds',
      'input.viewport.height',
      'input.viewport.width',
    ])
    expect(await tabwire.query('{ capacity { live } }')).toEqual(before)
  })

  test('dates and time zones that the database or browser would refuse are bad input, or are understood', async () => {
    const year = '{ sessions(filter: {createdAfter: "0000-01-01T00:00:00Z"}) { totalCount } }'
    expect((await tabwire.send(year)).errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
    const session = await start({ timezone: 'europe/zurich' }, 'LOADED')
    expect(session).toMatchObject({ status: 'RUNNING' })
    await terminate(session.id)
  })

  test('a session id cannot be given', async () => {
    for (const [query, variables] of [
      ['mutation { startSession(input: {id: "mine"}) { id } }', {}],
      ['mutation ($input: StartSessionInput) { startSession(input: $input) { id } }', { input: { id: 'mine' } }],
    ] as const) {
      const { errors } = await tabwire.send(query, variables)
      expect(errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED')
    }
  })

  test('the options of the browser hold', async () => {
    const session = await start(
      {
        initialPrompt: `${site.url}/environment`,
        viewport: { width: 640, height: 480 },
        userAgent: 'Tabwire test',
        locale: 'de-CH',
        timezone: 'Asia/Tokyo',
        extraHeaders: { 'X-Tabwire-Test': 'yes' },
      },
      'LOADED',
    )
    const query = `query ($id: ID!) { session(id: $id) {
      consoleMessages(filter: {textContains: "environment"}) { nodes { text } }
      networkRequests(filter: {resourceTypes: [DOCUMENT]}) { nodes { requestHeaders } } } }`
    type Data = {
      session: {
        consoleMessages: { nodes: { text: string }[] }
        networkRequests: { nodes: { requestHeaders: Record<string, string> }[] }
      }
    }
    const read = async () => (await tabwire.query<Data>(query, { id: session.id })).session
    await expect.poll(async () => (await read()).consoleMessages.nodes.length).toBe(1)
    await expect.poll(async () => (await read()).networkRequests.nodes.length).toBe(1)
    const { consoleMessages, networkRequests } = await read()
    const reported = JSON.parse(consoleMessages.nodes[0]!.text.replace('environment ', '')) as Record<string, unknown>
    expect(reported).toMatchObject({
      width: 640,
      height: 480,
      userAgent: 'Tabwire test',
      language: 'de-CH',
      timeZone: 'Asia/Tokyo',
    })
    expect(networkRequests.nodes[0]?.requestHeaders).toMatchObject({ 'x-tabwire-test': 'yes' })
    await terminate(session.id)
  })

  test('the same idempotencyKey and input: the same session, however often and at once; another input: an error', async () => {
    const input = { idempotencyKey: 'once', name: 'only' }
    const sessions = await Promise.all([start(input), start(input), start({ ...input, keepAlive: false })])
    expect(new Set(sessions.map(({ id }) => id)).size).toBe(1)
    const other = { input: { ...input, name: 'other' } }
    const { errors } = await tabwire.send(
      'mutation ($input: StartSessionInput) { startSession(input: $input) { id } }',
      other,
    )
    expect(errors?.[0]?.extensions.issues).toMatchObject([{ path: ['input', 'idempotencyKey'], code: 'CONFLICT' }])
    await terminate(sessions[0].id)
    expect((await start(input)).status).toBe('CLOSED')
  })
})

describe('slots', () => {
  test('past the slots sessions wait as CREATING, past the queue CAPACITY_EXCEEDED; who waits longest goes first', async () => {
    const running = await Promise.all([start(), start(), start()])
    const [first, second] = [await start({}, 'CREATING'), await start({}, 'CREATING')]
    const { capacity } = await tabwire.query<{ capacity: object }>('{ capacity { total live queued warm } }')
    expect(capacity).toMatchObject({ total: 3, live: 3, queued: 2 })
    const { errors } = await tabwire.send('mutation { startSession { id } }')
    expect(errors?.[0]?.extensions).toMatchObject({
      code: 'CAPACITY_EXCEEDED',
      retryAfterSeconds: expect.any(Number) as number,
    })
    await terminate(running[0].id)
    await expect.poll(async () => (await get(first.id))?.status).toBe('RUNNING')
    expect((await get(second.id))?.status).toBe('CREATING')
    expect(await terminate(second.id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
    const terminateAll = 'mutation { terminateSessions(filter: {status: [RUNNING, CREATING]}) }'
    expect(await tabwire.query(terminateAll)).toEqual({ terminateSessions: 3 })
    expect(await tabwire.query('{ capacity { live queued } }')).toEqual({ capacity: { live: 0, queued: 0 } })
  })

  test('terminateSessions needs a filter', async () => {
    const { errors } = await tabwire.send('mutation { terminateSessions(filter: {}) }')
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
  })
})

describe('the end of a session', () => {
  test('terminateSession is idempotent, keeps the log, and the last entry is the final status', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/console` }, 'LOADED')
    const [once, twice] = await Promise.all([terminate(id), terminate(id)])
    expect(once).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED', expiresAt: null, pages: [] })
    expect(twice.endedAt).toBe(once.endedAt)
    expect((await terminate(id)).endedAt).toBe(once.endedAt)
    expect(await statusesOf(id)).toEqual(['CREATING', 'RUNNING', 'CLOSED'])
    const query = `query ($id: ID!) { session(id: $id) { currentUrl events(last: 1) { nodes { __typename sequence } totalCount } consoleMessages { totalCount } } }`
    const { session } = await tabwire.query<{
      session: {
        currentUrl: string
        events: { nodes: object[]; totalCount: number }
        consoleMessages: { totalCount: number }
      }
    }>(query, { id })
    expect(session.currentUrl).toBe(`${site.url}/console`)
    expect(session.events.nodes).toEqual([{ __typename: 'StatusChange', sequence: session.events.totalCount }])
    expect(session.consoleMessages.totalCount).toBeGreaterThan(0)
  })

  test('requests in flight are state while they are, and failed entries at the end', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/slow?ms=60000` }, 'RUNNING')
    const pending = `query ($id: ID!) { session(id: $id) { pendingRequestCount pendingRequests { id url method } } }`
    type Pending = { session: { pendingRequestCount: number; pendingRequests: { id: string; url: string }[] } }
    const read = async () => (await tabwire.query<Pending>(pending, { id })).session
    await expect.poll(async () => (await read()).pendingRequestCount).toBe(1)
    const request = (await read()).pendingRequests[0]!
    await terminate(id)
    const node = await tabwire.query<{ node: object }>(
      `query ($id: ID!) { node(id: $id) { ... on NetworkRequest { id url failure status } } }`,
      { id: request.id },
    )
    expect(node.node).toEqual({ id: request.id, url: request.url, failure: 'session ended', status: null })
    expect((await read()).pendingRequests).toEqual([])
  })

  test('idle: TIMED_OUT / IDLE_TIMEOUT; neither a page that works on nor who watches it counts as activity', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/ticker?ms=50` })
    await expect.poll(async () => (await get(id))!.consoleMessageCount).toBeGreaterThan(5)
    await limit(id, { idleTimeoutSeconds: 1 })
    const query = 'subscription ($id: ID!) { consoleMessages(sessionId: $id) { cursor entries { text } } }'
    type Watched = { consoleMessages: { entries: object[] } }
    let watched = 0
    // Completes by itself when the session has ended.
    for await (const { data } of tabwire.client().iterate<Watched>({ query, variables: { id } })) {
      watched += data!.consoleMessages.entries.length
    }
    expect(watched).toBeGreaterThan(5)
    expect((await get(id))?.endReason).toBe('IDLE_TIMEOUT')
    expect((await get(id))?.status).toBe('TIMED_OUT')
  })

  test('keepAlive lifts the idle timeout, not the longest duration', async () => {
    const { id } = await start({ keepAlive: true, idleTimeoutSeconds: 1 })
    await limit(id, { maxDurationSeconds: 3 })
    await expect.poll(async () => (await get(id))?.endReason).toBe('MAX_DURATION')
    const ended = (await get(id))!
    expect(ended.status).toBe('TIMED_OUT')
    expect(Date.parse(ended.endedAt!) - Date.parse(ended.startedAt!)).toBeGreaterThanOrEqual(3000)
  })
})

describe('updateSession', () => {
  const UPDATE = `mutation ($id: ID!, $input: UpdateSessionInput!) { updateSession(id: $id, input: $input) { ${SESSION} } }`
  const update = async (id: string, input: object) =>
    (await tabwire.query<{ updateSession: SessionData }>(UPDATE, { id, input })).updateSession

  test('absent stays, null clears, metadata is replaced whole, the viewport changes the page', async () => {
    const { id } = await start({ name: 'before', metadata: { a: 1 }, initialPrompt: `${site.url}/title` }, 'LOADED')
    const kept = await update(id, { metadata: { b: 2 }, viewport: { width: 500, height: 400 }, keepAlive: true })
    expect(kept).toMatchObject({
      name: 'before',
      metadata: { b: 2 },
      viewport: { width: 500, height: 400 },
      keepAlive: true,
    })
    expect(await update(id, { name: null })).toMatchObject({ name: null, metadata: { b: 2 } })
    expect(await get(id)).toMatchObject({ name: null, metadata: { b: 2 }, viewport: { width: 500, height: 400 } })
    await terminate(id)
    const { errors } = await tabwire.send(UPDATE, { id, input: { name: 'late' } })
    expect(errors?.[0]?.extensions.code).toBe('SESSION_NOT_RUNNING')
  })

  test('a page that hangs does not keep the viewport from the others, nor from the session', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    await run(id, [{ openPage: { url: `${site.url}/hang` } }])
    await expect
      .poll(async () => {
        const query = 'query ($id: ID!) { session(id: $id) { consoleMessages(first: 9) { nodes { text } } } }'
        return JSON.stringify(await tabwire.query(query, { id }))
      })
      .toContain('hanging')
    const viewport = { width: 500, height: 400 }
    expect((await update(id, { viewport })).viewport).toEqual(viewport)
    expect((await get(id))!.viewport).toEqual(viewport)
    const [size] = await run(id, [{ evaluate: { expression: '[innerWidth, innerHeight]' } }])
    expect(size!.result).toEqual([500, 400])
    await terminate(id)
  })

  test('counts as activity: it moves the expiry', async () => {
    const { id, expiresAt } = await start({ idleTimeoutSeconds: 60 })
    const { expiresAt: later } = await update(id, { idleTimeoutSeconds: 120 })
    expect(Date.parse(later!)).toBeGreaterThanOrEqual(Date.parse(expiresAt!) + 60_000)
    await terminate(id)
  })
})
