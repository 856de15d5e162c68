import { request } from 'node:http'
import { createClient } from 'graphql-sse'
import { afterEach, describe, expect, test } from 'vitest'
import { batchOf, consoleEntry, SESSION_ID, startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'

const WATCH = `subscription { consoleMessages(sessionId: "${SESSION_ID}") { entries { sequence text } cursor live } }`
const CAPACITY = '{ capacity { total } }'

let server: FakeServer

const start = async (options: FakeOptions = {}) => (server = await startFakeServer(options))

afterEach(() => server.close())

interface Send {
  headers?: Record<string, string>
  body?: unknown
  signal?: AbortSignal | undefined
}

/** With the key "admin", unless the headers name another. */
const post = (query: string, { headers = { 'x-api-key': 'admin' }, body = { query }, ...rest }: Send = {}) =>
  fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    ...rest,
  })

async function codeOf(response: Response): Promise<string | undefined> {
  const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] }
  return errors?.[0]?.extensions.code
}

describe('routes', () => {
  test('answer as they should', async () => {
    await start()
    const answers = await Promise.all(
      [
        ['GET', '/health'],
        ['HEAD', '/health'],
        ['POST', '/health'],
        ['GET', '/ready'],
        ['GET', '/'],
        ['GET', '/graphiql'],
        ['GET', '/dashboard/assets/nothing.js'],
        ['GET', '/graphiql/assets/nothing.js'],
        ['GET', '/sign-in'],
        ['GET', '/elsewhere'],
        ['GET', '/__proto__'],
        ['GET', '//'],
        ['OPTIONS', '/graphql'],
        ['DELETE', '/graphql'],
      ].map(async ([method = '', path = '']) => {
        const headers = { 'x-api-key': 'reader' }
        const { status } = await fetch(server.url + path, { method, headers, redirect: 'manual' })
        return `${method} ${path} ${status}`
      }),
    )
    expect(answers).toEqual([
      'GET /health 200',
      'HEAD /health 200',
      'POST /health 405',
      'GET /ready 503',
      'GET / 200',
      'GET /graphiql 200',
      'GET /dashboard/assets/nothing.js 404',
      'GET /graphiql/assets/nothing.js 404',
      'GET /sign-in 405',
      'GET /elsewhere 404',
      'GET /__proto__ 404',
      'GET // 404',
      'OPTIONS /graphql 204',
      'DELETE /graphql 405',
    ])
    expect(await (await fetch(`${server.url}/ready`)).json()).toEqual({ ready: false, missing: ['the database'] })
  })

  test('tell browsers to be careful, everywhere', async () => {
    await start()
    for (const path of ['/', '/health', '/graphiql', '/graphql', '/elsewhere', '/sign-in']) {
      const { headers } = await fetch(server.url + path)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
      expect(headers.get('content-security-policy')).not.toMatch(/https?:|\*/)
    }
  })

  test('a person with a browser who opens the API comes to GraphiQL', async () => {
    await start()
    const headers = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
    const response = await fetch(`${server.url}/graphql`, { headers, redirect: 'manual' })
    expect([response.status, response.headers.get('location')]).toEqual([302, 'graphiql'])
  })

  test('pages of other sites may call the API, with a key of their own', async () => {
    await start()
    const preflight = await fetch(`${server.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type',
      },
    })
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization, content-type')
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull()
    for (const key of ['reader', 'wrong']) {
      const response = await post(CAPACITY, { headers: { 'x-api-key': key, origin: 'https://app.example' } })
      expect(response.headers.get('access-control-allow-origin')).toBe('*')
    }
  })
})

describe('keys', () => {
  test.each([
    ['X-API-Key', { 'X-API-Key': 'reader' }, 200],
    ['Bearer', { Authorization: 'Bearer reader' }, 200],
    ['bearer', { authorization: 'bearer  reader' }, 200],
    ['none', {}, 401],
    ['a wrong one', { 'x-api-key': 'wrong' }, 401],
    ['Basic', { authorization: 'Basic reader' }, 401],
    ['a cookie', { cookie: 'X-API-Key=reader' }, 401],
  ])('%s', async (_, headers, status) => {
    await start()
    const response = await post(CAPACITY, { headers })
    expect(response.status).toBe(status)
    expect(await codeOf(response)).toBe(status === 401 ? 'UNAUTHENTICATED' : undefined)
  })

  test('without one not even the schema is told, nor whether the query is valid', async () => {
    await start()
    for (const query of ['{ __schema { types { name } } }', '{ __typename }', '{', '']) {
      const response = await post(query, { headers: { accept: 'application/graphql-response+json' } })
      expect(response.status).toBe(401)
      expect(response.headers.get('content-type')).toContain('application/graphql-response+json')
      expect(await codeOf(response)).toBe('UNAUTHENTICATED')
    }
  })
})

describe('requests', () => {
  const cases: [string, Send, number][] = [
    ['a body beyond a megabyte', { body: { query: CAPACITY, variables: { x: 'x'.repeat(1_000_001) } } }, 413],
    ['a list of operations', { body: [{ query: CAPACITY }] }, 400],
    ['no query', { body: {} }, 400],
    ['a query that is no text', { body: { query: 5 } }, 400],
    ['variables that are no object', { body: { query: CAPACITY, variables: [] } }, 400],
    ['a body that is null', { body: null }, 400],
  ]

  test.each(cases)('%s', async (_, send, status) => {
    await start()
    const response = await post(CAPACITY, send)
    expect(response.status).toBe(status)
    expect(await codeOf(response)).toBe('BAD_USER_INPUT')
  })

  test('another media type', async () => {
    await start()
    const headers = { 'content-type': 'text/plain', 'x-api-key': 'admin' }
    expect((await post(CAPACITY, { headers })).status).toBe(415)
  })

  test('a body without a length is cut off at the limit too', async () => {
    await start()
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const headers = { 'content-type': 'application/json', 'x-api-key': 'admin' }
    const sent = request(`${server.url}/graphql`, { method: 'POST', headers }, ({ statusCode }) => resolve(statusCode))
    sent.on('error', reject)
    for (let chunks = 0; chunks < 15; chunks += 1) sent.write('x'.repeat(100_000))
    expect(await promise).toBe(413)
    sent.destroy()
  })

  test('GET reads and never writes', async () => {
    await start()
    const get = (query: string, more = '') =>
      fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}${more}`, {
        headers: { 'x-api-key': 'admin', accept: 'application/json' },
      })
    expect(await (await get(CAPACITY)).json()).toEqual({ data: { capacity: { total: 20 } } })
    const mutation = await get('mutation { startSession { id } }')
    expect([mutation.status, mutation.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await get(CAPACITY, '&variables=nonsense')).status).toBe(400)
  })

  test('what fails inside is masked, and the log has it under the correlation id', async () => {
    await start({
      sessions: {
        capacity: async () => {
          throw new Error('secret of the pool')
        },
      },
    })
    const answer = (await (await post(CAPACITY)).json()) as {
      data: null
      errors: { message: string; path: string[]; extensions: { code: string; correlationId: string } }[]
    }
    expect(answer.data).toBeNull()
    expect(answer.errors[0]?.path).toEqual(['capacity'])
    expect(answer.errors[0]?.extensions.code).toBe('INTERNAL')
    expect(JSON.stringify(answer)).not.toContain('secret')
    const { correlationId } = answer.errors[0]!.extensions
    const line = server.logged.find((one) => one.correlationId === correlationId)
    expect(line?.err?.message).toBe('secret of the pool')
  })

  test('what a resolver returns wrongly is masked too', async () => {
    await start({
      sessions: { capacity: async () => ({ total: 'many' as unknown as number, live: 0, queued: 0, warm: 0 }) },
    })
    expect(await codeOf(await post(CAPACITY))).toBe('INTERNAL')
  })

  test('the signal of the context fires when the client leaves', async () => {
    let signal: AbortSignal | undefined
    await start({
      sessions: {
        start: (_owner, _input, _wait, left) => {
          signal = left
          return new Promise(() => {})
        },
      },
    })
    const leaving = new AbortController()
    const sent = post('mutation { startSession { id } }', { signal: leaving.signal })
    const outcome = sent.then(
      () => 'answered',
      () => 'given up',
    )
    await expect.poll(() => signal?.aborted).toBe(false)
    leaving.abort()
    expect(await outcome).toBe('given up')
    await expect.poll(() => signal?.aborted).toBe(true)
  })
})

describe('signing in', () => {
  const signIn = (body: string, contentType = 'application/json') =>
    fetch(`${server.url}/sign-in`, { method: 'POST', headers: { 'content-type': contentType }, body })

  test('exchanges a code for a key that no cache keeps', async () => {
    await start()
    const response = await signIn('{"code":"good"}')
    expect(await response.json()).toEqual({ apiKey: 'admin', expiresAt: '1970-01-01T00:00:00.000Z' })
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test.each([
    ['a stale code', '{"code":"stale"}', 'application/json'],
    ['no JSON', 'good', 'application/json'],
    ['another shape', '{"code":["good"]}', 'application/json'],
    ['a form of another site', '{"code":"good"}', 'text/plain'],
    ['a flood', `{"code":"${'x'.repeat(5000)}"}`, 'application/json'],
  ])('refuses %s with a sentence', async (_, body, contentType) => {
    await start()
    const response = await signIn(body, contentType)
    expect(response.status).toBe(401)
    expect(((await response.json()) as { error: { message: string } }).error.message).toMatch(/Open a new one/)
  })
})

describe('server-sent events', () => {
  const watch = (headers: Record<string, string> = {}, signal?: AbortSignal) =>
    post(WATCH, { headers: { accept: 'text/event-stream', 'x-api-key': 'reader', ...headers }, signal })

  test('deliver a subscription and complete it', async () => {
    await start({ produce: (pull) => (pull < 2 ? batchOf([consoleEntry(pull + 1)]) : null) })
    const client = createClient({ url: `${server.url}/graphql`, headers: { 'x-api-key': 'reader' }, retryAttempts: 0 })
    const results = client.iterate({ query: WATCH })
    const first = await results.next()
    expect(first.value).toEqual({
      data: {
        consoleMessages: { entries: [{ sequence: 1, text: 'line 1' }], cursor: expect.any(String), live: true },
      },
    })
    expect((await results.next()).value?.data).toMatchObject({ consoleMessages: { entries: [{ sequence: 2 }] } })
    const third = results.next()
    await server.followers[0]!.return()
    expect((await third).done).toBe(true)
    client.dispose()
  })

  test('a client that leaves while idle frees the follower at once', async () => {
    await start()
    const leaving = new AbortController()
    await watch({}, leaving.signal)
    await expect.poll(() => server.followers[0]?.pulled).toBe(1)
    leaving.abort()
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
  })

  test('a client that stops reading stops the follower', async () => {
    const text = 'x'.repeat(100_000)
    await start({ produce: (pull) => batchOf([consoleEntry(pull + 1, text)], false) })
    const leaving = new AbortController()
    const response = await watch({}, leaving.signal)
    let pulled = -1
    await expect
      .poll(
        () => {
          const before = pulled
          pulled = server.followers[0]?.pulled ?? 0
          return pulled > 0 && pulled === before
        },
        { interval: 200 },
      )
      .toBe(true)
    expect(pulled).toBeLessThan(200)
    const reader = response.body!.getReader()
    for (let read = 0; read < 10_000_000; read += (await reader.read()).value?.length ?? 0);
    expect(server.followers[0]!.pulled).toBeGreaterThan(pulled)
    leaving.abort()
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
  })

  test.each(['text/event-stream', '*/*', 'text/*', 'Text/Event-Stream'])(
    'a key that is revoked breaks its stream off, asked for as %s',
    async (accept) => {
      await start()
      const response = await watch({ accept })
      expect(response.headers.get('content-type')).toContain('text/event-stream')
      await expect.poll(() => server.followers[0]?.pulled).toBe(1)
      server.invalidate('reader')
      await expect(response.text()).rejects.toThrow('terminated')
      await expect.poll(() => server.followers[0]?.freed).toBe(true)
    },
  )

  test('a key that is revoked while its own request is served still gets its answer', async () => {
    await start({
      sessions: {
        capacity: async () => {
          server.invalidate('reader')
          return { total: 20, live: 1, queued: 0, warm: 2 }
        },
      },
    })
    expect((await post(CAPACITY, { headers: { 'x-api-key': 'reader' } })).status).toBe(200)
  })

  test.each(['text/event-stream', '*/*'])('a server that closes breaks its streams off: %s', async (accept) => {
    await start()
    const response = await watch({ accept })
    await expect.poll(() => server.followers[0]?.pulled).toBe(1)
    await server.close()
    await expect(response.text()).rejects.toThrow('terminated')
    expect(server.followers[0]?.freed).toBe(true)
    await start()
  })

  test('a query may be asked for as a stream, and a subscription must be', async () => {
    await start()
    const query = await post(CAPACITY, { headers: { 'x-api-key': 'reader', accept: 'text/event-stream' } })
    expect(await query.text()).toContain('data: {"data":{"capacity":{"total":20}}}')
    const subscription = await post(WATCH, { headers: { 'x-api-key': 'reader', accept: 'application/json' } })
    expect([subscription.status, await codeOf(subscription)]).toEqual([406, 'BAD_USER_INPUT'])
    expect(server.followers).toEqual([])
  })

  test('a refusal comes as an event', async () => {
    await start()
    const response = await post(WATCH, { headers: { accept: 'text/event-stream', 'x-api-key': 'connector' } })
    expect(await response.text()).toContain('"code":"FORBIDDEN"')
  })
})
