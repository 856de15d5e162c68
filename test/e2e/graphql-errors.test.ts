import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { initRawSocket } from '../server/raw-socket.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let tabwire: TestApp
/** One that runs, and one that has ended. */
let running: string
let ended: string

const START = 'mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: RUNNING) { id } }'
const TERMINATE = 'mutation ($id: ID!) { terminateSession(id: $id) { status } }'
const UPDATE = 'mutation ($id: ID!, $input: UpdateSessionInput!) { updateSession(id: $id, input: $input) { id } }'
const LOG = `query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  session(id: $id) { events(first: $first, after: $after, last: $last, before: $before) { pageInfo { endCursor } } } }`
const SESSIONS = `query ($first: Int, $after: String, $last: Int, $before: String, $offset: Int) {
  sessions(first: $first, after: $after, last: $last, before: $before, offset: $offset) { pageInfo { endCursor } } }`

beforeAll(async () => {
  tabwire = await startTestApp({ maxSessions: 1, maxQueued: 0, warmBrowsers: 0 })
  const start = async () => (await tabwire.query<{ startSession: { id: string } }>(START)).startSession.id
  ended = await start()
  await tabwire.query(TERMINATE, { id: ended })
  running = await start()
})

afterAll(() => tabwire.close())

async function firstError(query: string, variables: Record<string, unknown> = {}) {
  const { errors } = await tabwire.send(query, variables)
  return errors?.[0]
}

const codeOf = async (query: string, variables: Record<string, unknown> = {}) =>
  (await firstError(query, variables))?.extensions.code

describe('every code', () => {
  test('GRAPHQL_PARSE_FAILED and GRAPHQL_VALIDATION_FAILED', async () => {
    expect(await codeOf('{ sessions {')).toBe('GRAPHQL_PARSE_FAILED')
    expect(await codeOf('{ sessions { cost } }')).toBe('GRAPHQL_VALIDATION_FAILED')
    expect(await codeOf(START, { input: { sessionId: 'mine' } })).toBe('GRAPHQL_VALIDATION_FAILED')
  })

  test('BAD_USER_INPUT from types and from rules alike, with issues', async () => {
    const types = await firstError(START, { input: { viewport: { width: 1.5, height: 2 } } })
    expect(types?.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: [{ path: ['input', 'viewport', 'width'], code: 'INVALID_FORMAT' }],
    })
    const rules = await firstError(START, { input: { idleTimeoutSeconds: 0, maxDurationSeconds: 0, locale: 'x' } })
    expect(rules?.path).toEqual(['startSession'])
    expect(rules?.extensions.issues?.map(({ path }) => path[1]).toSorted()).toEqual([
      'idleTimeoutSeconds',
      'locale',
      'maxDurationSeconds',
    ])
  })

  test('UNAUTHENTICATED', async () => {
    expect((await tabwire.send('{ capacity { total } }', {}, null)).errors?.[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    )
    expect((await tabwire.send('{ capacity { total } }', {}, 'wrong')).errors?.[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    )
  })

  test('NOT_FOUND from mutations, null from queries', async () => {
    const foreignForms = ['nonsense', '', Buffer.from('Session:1').toString('base64'), `${running}=`]
    for (const id of foreignForms) {
      expect(await codeOf(TERMINATE, { id })).toBe('NOT_FOUND')
      expect(await codeOf(UPDATE, { id, input: {} })).toBe('NOT_FOUND')
      const query = 'query ($id: ID!) { session(id: $id) { id } node(id: $id) { id } }'
      expect(await tabwire.query(query, { id })).toEqual({ session: null, node: null })
    }
  })

  test('SESSION_NOT_RUNNING', async () => {
    expect(await codeOf(UPDATE, { id: ended, input: { name: 'late' } })).toBe('SESSION_NOT_RUNNING')
  })

  test('CAPACITY_EXCEEDED says when to come back', async () => {
    const error = await firstError(START)
    expect(error?.extensions.code).toBe('CAPACITY_EXCEEDED')
    expect(error?.extensions['retryAfterSeconds']).toBeGreaterThan(0)
  })

  test('CURSOR_INVALID for what is malformed or of another log or list', async () => {
    const cursorOf = async (id: string) => {
      const answer = await tabwire.query<{ session: { events: { pageInfo: { endCursor: string } } } }>(LOG, { id })
      return answer.session.events.pageInfo.endCursor
    }
    const after = await cursorOf(ended)
    const ofList = await tabwire.query<{ sessions: { pageInfo: { endCursor: string } } }>(SESSIONS)
    expect(await codeOf(LOG, { id: ended, after })).toBeUndefined()
    for (const invalid of [after.toUpperCase(), `${after}0`, 'e1', '', ofList.sessions.pageInfo.endCursor]) {
      expect(await codeOf(LOG, { id: ended, after: invalid })).toBe('CURSOR_INVALID')
      expect(await codeOf(LOG, { id: ended, last: 5, before: invalid })).toBe('CURSOR_INVALID')
    }
    expect(await codeOf(LOG, { id: running, after })).toBe('CURSOR_INVALID')
    expect(await codeOf(SESSIONS, { after })).toBe('CURSOR_INVALID')
    const raw = await initRawSocket(tabwire.url, { 'x-api-key': tabwire.apiKey })
    const query = `subscription { sessionEvents(sessionId: "${running}", after: "${after}") { cursor } }`
    raw.send({ type: 'subscribe', id: '1', payload: { query } })
    expect((await raw.message('next')).payload?.errors?.[0]?.extensions.code).toBe('CURSOR_INVALID')
    raw.socket.close()
    await raw.closed
  })

  test('QUERY_TOO_COMPLEX', async () => {
    const query = '{ sessions(first: 100) { nodes { events(first: 1000) { nodes { id } } } } }'
    expect(await codeOf(query)).toBe('QUERY_TOO_COMPLEX')
  })
})

describe('bounds of pages are refused, never clamped', () => {
  test.each([
    [{ first: 0 }, ['first']],
    [{ first: -1 }, ['first']],
    [{ first: 101 }, ['first']],
    [{ last: 0 }, ['last']],
    [{ last: 101 }, ['last']],
    [{ offset: -1 }, ['offset']],
    [{ offset: 1, last: 1 }, ['offset']],
    [{ first: 0, offset: -1 }, ['first', 'offset']],
  ])('of sessions: %o', async (variables, paths) => {
    const error = await firstError(SESSIONS, variables)
    expect(error?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: paths.map((path) => ({ path: [path] })) })
  })

  test.each([{ first: 0 }, { first: 1001 }, { last: 1001 }, { last: -5 }])('of a log: %o', async (variables) => {
    expect(await codeOf(LOG, { id: ended, ...variables })).toBe('BAD_USER_INPUT')
  })

  test('what is within them is not', async () => {
    for (const first of [1, 100]) expect(await codeOf(SESSIONS, { first })).toBeUndefined()
    for (const first of [1, 1000]) expect(await codeOf(LOG, { id: ended, first })).toBeUndefined()
    for (const last of [1, 1000]) expect(await codeOf(LOG, { id: ended, last })).toBeUndefined()
  })
})

test('an error within a page names its path, and leaves the rest of the answer', async () => {
  const query = `query ($id: ID!) { capacity { total } session(id: $id) { id pendingRequests(first: 0) { id } } }`
  const { data, errors } = await tabwire.send<{ capacity: { total: number }; session: null }>(query, { id: running })
  expect(errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual([
    [['session', 'pendingRequests'], 'BAD_USER_INPUT'],
  ])
  expect(data).toEqual({ capacity: { total: 1 }, session: null })
})
