import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { initRawSocket, openRawSocket } from '../server/raw-socket.ts'
import { leakGate } from '../support/leak-gate.ts'
import { WAIT_LIMITS } from '../support/time-limits.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let site: TestSite
let tabwire: TestApp
let sessionId: string
/** A session that is invisible to other owners, and one of each of its nodes. */
let nodeIds: string[]

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ warmBrowsers: 1 })
  const start = `mutation ($url: String) { startSession(input: { name: "mine", initialPrompt: $url }, waitUntil: LOADED) { id } }`
  const { startSession } = await tabwire.query<{ startSession: { id: string } }>(start, { url: `${site.url}/console` })
  sessionId = startSession.id
  const nodes = `query ($id: ID!) { session(id: $id) {
    consoleMessages { nodes { id } } networkRequests { nodes { id } } } viewer { apiKeys { id } } }`
  nodeIds = await vi.waitFor(async () => {
    const { session, viewer } = await tabwire.query<{
      session: { consoleMessages: { nodes: { id: string }[] }; networkRequests: { nodes: { id: string }[] } }
      viewer: { apiKeys: { id: string }[] }
    }>(nodes, { id: sessionId })
    const [message, request, key] = [
      session.consoleMessages.nodes[0],
      session.networkRequests.nodes[0],
      viewer.apiKeys[0],
    ]
    if (!message || !request || !key) throw new Error('the page has not been recorded yet')
    return [sessionId, message.id, request.id, key.id]
  }, WAIT_LIMITS)
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

interface Created {
  createApiKey: { secret: string; apiKey: { id: string; owner: string; scopes: string[] } }
}

const CREATE =
  'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id owner scopes } } }'
const REVOKE = 'mutation ($id: ID!) { revokeApiKey(id: $id) { id revokedAt } }'
const WATCH = (id: string) => `subscription { consoleMessages(sessionId: "${id}") { cursor } }`

async function createKey(input: object): Promise<Created['createApiKey']> {
  const { createApiKey } = await tabwire.query<Created>(CREATE, { input: { name: 'test', ...input } })
  return createApiKey
}

const codeOf = async (query: string, variables: Record<string, unknown>, key: string | null) =>
  (await tabwire.send(query, variables, key)).errors?.[0]?.extensions.code

/** Error code of a refused subscription; null if it delivers. */
async function subscribing(query: string, key: string): Promise<string | null> {
  const raw = await initRawSocket(tabwire.url, { 'X-API-Key': key })
  raw.send({ type: 'subscribe', id: '1', payload: { query } })
  const { payload } = await raw.message('next')
  raw.socket.close()
  await raw.closed
  return payload?.errors?.[0]?.extensions.code ?? null
}

describe('what belongs to another owner does not exist', () => {
  let other: string

  beforeAll(async () => {
    const key = await createKey({ owner: 'other', scopes: ['READ', 'WRITE', 'CONNECT', 'ADMIN'] })
    other = key.secret
  })

  test('queries find nothing', async () => {
    const query = `query ($id: ID!) { session(id: $id) { id } sessions(includeTerminated: true) { totalCount nodes { id } } }`
    const expected = { session: null, sessions: { totalCount: 0, nodes: [] } }
    expect(await tabwire.query(query, { id: sessionId }, other)).toEqual(expected)
  })

  test('nodes are null, and are there for their owner', async () => {
    const query = 'query ($id: ID!) { node(id: $id) { __typename id } }'
    for (const id of nodeIds) {
      expect(await tabwire.query(query, { id }, other)).toEqual({ node: null })
      expect(await tabwire.query(query, { id })).toMatchObject({ node: { id } })
    }
  })

  test('mutations answer NOT_FOUND and end nothing', async () => {
    const id = sessionId
    expect(await codeOf('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id }, other)).toBe('NOT_FOUND')
    const update = 'mutation ($id: ID!) { updateSession(id: $id, input: { name: "stolen" }) { id } }'
    expect(await codeOf(update, { id }, other)).toBe('NOT_FOUND')
    const all = 'mutation { terminateSessions(filter: { status: [CREATING, RUNNING] }) }'
    expect(await tabwire.query(all, {}, other)).toEqual({ terminateSessions: 0 })
    const query = 'query ($id: ID!) { session(id: $id) { name status } }'
    expect(await tabwire.query(query, { id })).toEqual({ session: { name: 'mine', status: 'RUNNING' } })
  })

  test.each([
    ['consoleMessages(sessionId: ', '{ cursor }'],
    ['networkRequests(sessionId: ', '{ cursor }'],
    ['sessionEvents(sessionId: ', '{ cursor }'],
    ['sessionChanged(id: ', '{ id }'],
  ])('subscriptions answer NOT_FOUND, as for what there never was: %s', async (field, selection) => {
    const subscription = (id: string) => `subscription { ${field}"${id}") ${selection} }`
    expect(await subscribing(subscription(sessionId), other)).toBe('NOT_FOUND')
    expect(await subscribing(subscription('nonsense'), other)).toBe('NOT_FOUND')
    expect(await subscribing(subscription(sessionId), tabwire.apiKey)).toBeNull()
  })

  test('changes of all sessions are those of the caller', async () => {
    const raw = await initRawSocket(tabwire.url, { 'X-API-Key': other })
    const query = 'subscription { sessionChanged { name } }'
    raw.send({ type: 'subscribe', id: '1', payload: { query } })
    await tabwire.query('mutation ($id: ID!) { updateSession(id: $id, input: { metadata: {} }) { id } }', {
      id: sessionId,
    })
    const start = 'mutation { startSession(input: { name: "theirs" }) { id } }'
    await tabwire.query(start, {}, other)
    expect((await raw.message('next')).payload?.data).toEqual({ sessionChanged: { name: 'theirs' } })
    raw.socket.close()
  })
})

describe('scopes', () => {
  test('none includes another', async () => {
    const READ = 'query ($id: ID!) { session(id: $id) { id } }'
    const WRITE = 'mutation ($id: ID!) { updateSession(id: $id, input: { name: "mine" }) { id } }'
    const id = sessionId
    const owner = (await tabwire.query<{ viewer: { owner: string } }>('{ viewer { owner } }')).viewer.owner
    const allowed: Record<string, (string | undefined)[]> = {}
    for (const scope of ['READ', 'WRITE', 'CONNECT', 'KEYS', 'ADMIN']) {
      const { secret } = await createKey({ owner, scopes: [scope] })
      allowed[scope] = [
        await codeOf(READ, { id }, secret),
        await codeOf(WRITE, { id }, secret),
        await codeOf(CREATE, { input: { name: 'x', scopes: [scope] } }, secret),
      ]
    }
    expect(allowed).toEqual({
      READ: [undefined, 'FORBIDDEN', 'FORBIDDEN'],
      WRITE: ['FORBIDDEN', undefined, 'FORBIDDEN'],
      CONNECT: ['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN'],
      KEYS: ['FORBIDDEN', 'FORBIDDEN', undefined],
      ADMIN: ['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN'],
    })
  })

  test('a key cannot give what it lacks', async () => {
    const { secret } = await createKey({ scopes: ['ADMIN', 'KEYS'] })
    expect(await codeOf(CREATE, { input: { name: 'wider', scopes: ['KEYS', 'READ'] } }, secret)).toBe('FORBIDDEN')
    expect(await codeOf(CREATE, { input: { name: 'as wide', scopes: ['KEYS', 'ADMIN'] } }, secret)).toBeUndefined()
  })

  test('with KEYS the own keys are made and revoked, with ADMIN as well those of others', async () => {
    const manager = await createKey({ owner: 'manager', scopes: ['READ', 'KEYS'] })
    const made = await tabwire.query<Created>(CREATE, { input: { name: 'own', scopes: ['READ'] } }, manager.secret)
    expect(made.createApiKey.apiKey).toMatchObject({ owner: 'manager', scopes: ['READ'] })
    expect(await codeOf(REVOKE, { id: made.createApiKey.apiKey.id }, manager.secret)).toBeUndefined()
    const foreign = await createKey({ owner: 'stranger', scopes: ['READ'] })
    const input = { name: 'theirs', owner: 'stranger', scopes: ['READ'] }
    expect(await codeOf(CREATE, { input }, manager.secret)).toBe('FORBIDDEN')
    expect(await codeOf(REVOKE, { id: foreign.apiKey.id }, manager.secret)).toBe('NOT_FOUND')
    const everyOwner = '{ viewer { apiKeys(everyOwner: true) { id } } }'
    expect(await codeOf(everyOwner, {}, manager.secret)).toBe('FORBIDDEN')
    expect(await codeOf(everyOwner, {}, tabwire.apiKey)).toBeUndefined()
    expect(await codeOf('{ capacity { total } }', {}, foreign.secret)).toBeUndefined()
    expect(await codeOf(REVOKE, { id: foreign.apiKey.id }, tabwire.apiKey)).toBeUndefined()
    expect(await codeOf('{ capacity { total } }', {}, foreign.secret)).toBe('UNAUTHENTICATED')
  })

  test('no key revokes one that outranks it, and ADMIN revokes any', async () => {
    const [manager, writer, admin] = [
      await createKey({ owner: 'ranks', scopes: ['KEYS'] }),
      await createKey({ owner: 'ranks', scopes: ['WRITE', 'KEYS'] }),
      await createKey({ owner: 'ranks', scopes: ['KEYS', 'ADMIN'] }),
    ]
    expect(await codeOf(REVOKE, { id: admin.apiKey.id }, writer.secret)).toBe('FORBIDDEN')
    expect(await codeOf(REVOKE, { id: writer.apiKey.id }, manager.secret)).toBe('FORBIDDEN')
    const listed = '{ viewer { apiKeys { revokedAt } } }'
    const keys = [{ revokedAt: null }, { revokedAt: null }, { revokedAt: null }]
    expect(await tabwire.query(listed, {}, manager.secret)).toEqual({ viewer: { apiKeys: keys } })
    expect(await codeOf(REVOKE, { id: writer.apiKey.id }, admin.secret)).toBeUndefined()
    expect(await codeOf(REVOKE, { id: manager.apiKey.id }, manager.secret)).toBeUndefined()
  })

  test('broken rules of a new key are told all at once', async () => {
    const input = { name: '', owner: 'some one', scopes: [], expiresAt: '2000-01-01T00:00:00Z' }
    const { errors } = await tabwire.send(CREATE, { input })
    expect(errors?.[0]?.extensions.issues?.map(({ path }) => path.join('.'))).toEqual([
      'input.name',
      'input.owner',
      'input.scopes',
      'input.expiresAt',
    ])
  })
})

describe('an end of a key', () => {
  test('revoked: 401, and its sockets close 4403', async () => {
    const { secret, apiKey } = await createKey({ scopes: ['READ'] })
    const raw = await initRawSocket(tabwire.url, { authorization: `Bearer ${secret}` })
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH(sessionId) } })
    await raw.message('next')
    const { revokeApiKey } = await tabwire.query<{ revokeApiKey: { revokedAt: string } }>(REVOKE, { id: apiKey.id })
    expect((await raw.closed).code).toBe(4403)
    expect(await codeOf('{ capacity { total } }', {}, secret)).toBe('UNAUTHENTICATED')
    const late = await openRawSocket(tabwire.url)
    late.send({ type: 'connection_init', payload: { 'x-api-key': secret } })
    expect((await late.closed).code).toBe(4403)
    // Revoking is idempotent.
    expect(await tabwire.query(REVOKE, { id: apiKey.id })).toMatchObject({ revokeApiKey })
  })

  test('expired: the same', async () => {
    const watchWithKey = async (expiresAt: string | null) => {
      const { secret } = await createKey({ scopes: ['READ'], expiresAt })
      const raw = await initRawSocket(tabwire.url, { 'X-API-Key': secret })
      raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH(sessionId) } })
      await raw.message('next')
      return { secret, raw }
    }
    // How long that takes here and now, so that the key does not expire before.
    const begun = performance.now()
    const lasting = await watchWithKey(null)
    const takenMs = performance.now() - begun
    const expiresAt = new Date(Date.now() + 3_000 + takenMs * 10).toISOString()
    const { secret, raw } = await watchWithKey(expiresAt)
    expect((await raw.closed).code).toBe(4403)
    lasting.raw.socket.close()
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt))
    expect(await codeOf('{ capacity { total } }', {}, secret)).toBe('UNAUTHENTICATED')
  })

  test('an id that is none of a key is NOT_FOUND', async () => {
    for (const id of ['nonsense', sessionId]) expect(await codeOf(REVOKE, { id }, tabwire.apiKey)).toBe('NOT_FOUND')
  })
})

test('a new key is as it was asked for', async () => {
  const { apiKey } = await createKey({ owner: 'third', scopes: ['WRITE', 'READ'] })
  expect(apiKey).toMatchObject({ owner: 'third', scopes: ['READ', 'WRITE'] })
})

test('a secret is shown once, by createApiKey alone', async () => {
  const { secret, apiKey } = await createKey({ scopes: ['READ'] })
  const query =
    'query ($id: ID!) { viewer { apiKeys { id name owner scopes expiresAt } } node(id: $id) { ... on ApiKey { name } } }'
  const answer = await tabwire.query<{ node: { name: string } }>(query, { id: apiKey.id })
  expect(answer.node).toEqual({ name: 'test' })
  expect(JSON.stringify(answer)).not.toContain(secret)
})

async function signIn(): Promise<{ apiKey: string; expiresAt: string }> {
  const link = new URL(tabwire.app.signInUrl('dashboard'))
  const code = new URLSearchParams(link.hash.slice(1)).get('code')
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(new URL('/sign-in', link), { method: 'POST', headers, body: JSON.stringify({ code }) })
  return (await response.json()) as { apiKey: string; expiresAt: string }
}

test('a key that signing in has made makes none that outlives it', async () => {
  const { apiKey, expiresAt } = await signIn()
  const create = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { expiresAt } } }'
  for (const input of [{}, { expiresAt: null }, { expiresAt }]) {
    const made = await tabwire.query(create, { input: { name: 'x', scopes: ['READ'], ...input } }, apiKey)
    expect(made).toEqual({ createApiKey: { apiKey: { expiresAt } } })
  }
  const later = new Date(Date.parse(expiresAt) + 1).toISOString()
  const input = { name: 'x', owner: 'other', scopes: ['READ'], expiresAt: later }
  const { data, errors } = await tabwire.send(create, { input }, apiKey)
  expect(data).toBeNull()
  const issue = { path: ['input', 'expiresAt'], code: 'OUT_OF_RANGE', message: expect.stringContaining(expiresAt) }
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', issues: [issue] } }])
})

test('a link signs in once', async () => {
  const link = new URL(tabwire.app.signInUrl('graphiql'))
  const code = new URLSearchParams(link.hash.slice(1)).get('code')
  const exchange = () =>
    fetch(new URL('/sign-in', link), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })
  const first = await exchange()
  const { apiKey, expiresAt } = (await first.json()) as { apiKey: string; expiresAt: string }
  expect(await tabwire.query('query ($id: ID!) { session(id: $id) { name } }', { id: sessionId }, apiKey)).toEqual({
    session: { name: 'mine' },
  })
  expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(11.9 * 3_600_000)
  expect((await exchange()).status).toBe(401)
})
