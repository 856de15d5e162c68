import { once } from 'node:events'
import { request } from 'node:http'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { batchOf, consoleEntry, SESSION_ID, startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'
import { initRawSocket, openRawSocket } from './raw-socket.ts'

const WATCH = `subscription { consoleMessages(sessionId: "${SESSION_ID}") { entries { sequence text } cursor live } }`
const CAPACITY = '{ capacity { total } }'
/** On a stopped clock, which waiting for conditions moves on a little. */
const LONG_MS = 3_600_000

let server: FakeServer

const start = async (options: FakeOptions = {}) => (server = await startFakeServer(options))

afterEach(async () => {
  vi.useRealTimers()
  await server.close()
})

describe('unsubscribing', () => {
  test('while idle frees the follower at once', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    await expect.poll(() => server.followers[0]?.pulled).toBe(1)
    raw.send({ type: 'complete', id: '1' })
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
    raw.socket.close()
  })

  test('by closing the socket frees every follower of it', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    for (const id of ['1', '2', '3']) raw.send({ type: 'subscribe', id, payload: { query: WATCH } })
    await expect.poll(() => server.followers.map(({ pulled }) => pulled)).toEqual([1, 1, 1])
    raw.socket.terminate()
    await expect.poll(() => server.followers.every(({ freed }) => freed)).toBe(true)
  })

  test('while the log pours frees the follower', async () => {
    await start({ produce: (pull) => batchOf([consoleEntry(pull + 1)], false) })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    await raw.message('next')
    raw.send({ type: 'complete', id: '1' })
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
    raw.socket.close()
  })
})

describe('keys', () => {
  test.each([
    ['X-API-Key', { 'X-API-Key': 'reader' }],
    ['x-api-key in small letters', { 'x-api-key': 'reader' }],
    ['Authorization', { Authorization: 'Bearer reader' }],
    ['authorization in small letters', { authorization: 'bearer reader' }],
    ['headers within the payload', { headers: { 'X-Api-Key': 'reader' } }],
  ])('connection_init takes %s', async (_, payload) => {
    await start()
    const raw = await initRawSocket(server.url, payload)
    raw.send({ type: 'subscribe', id: '1', payload: { query: CAPACITY } })
    expect((await raw.message('next')).payload).toEqual({ data: { capacity: { total: 20 } } })
    raw.socket.close()
  })

  test('a wrong one in connection_init closes 4403', async () => {
    await start()
    const raw = await openRawSocket(server.url)
    raw.send({ type: 'connection_init', payload: { 'X-API-Key': 'wrong' } })
    expect(await raw.closed).toEqual({ code: 4403, reason: 'Forbidden' })
  })

  test('without one the socket is acknowledged and each operation needs its own', async () => {
    await start()
    const raw = await initRawSocket(server.url)
    raw.send({ type: 'subscribe', id: '1', payload: { query: '{ __schema { queryType { name } } }' } })
    const [refused] = (await raw.message('error', '1')).payload as unknown as { extensions: { code: string } }[]
    expect(refused?.extensions.code).toBe('UNAUTHENTICATED')
    raw.send({
      type: 'subscribe',
      id: '2',
      payload: { query: CAPACITY, extensions: { headers: { 'X-API-Key': 'wrong' } } },
    })
    const [wrong] = (await raw.message('error', '2')).payload as unknown as { extensions: { code: string } }[]
    expect(wrong?.extensions.code).toBe('UNAUTHENTICATED')
    raw.send({
      type: 'subscribe',
      id: '3',
      payload: { query: CAPACITY, extensions: { headers: { 'X-API-Key': 'reader' } } },
    })
    expect((await raw.message('next', '3')).payload).toEqual({ data: { capacity: { total: 20 } } })
    // The key belonged to that operation, not to the socket.
    raw.send({ type: 'subscribe', id: '4', payload: { query: CAPACITY } })
    expect((await raw.message('error', '4')).payload).toHaveLength(1)
    raw.socket.close()
  })

  test('a socket without an authenticated operation is closed in the end', async () => {
    await start({ webSocketLimits: { anonymousMs: LONG_MS } })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const raw = await initRawSocket(server.url)
    raw.send({ type: 'subscribe', id: '1', payload: { query: CAPACITY } })
    await raw.message('error', '1')
    vi.advanceTimersByTime(LONG_MS)
    expect(await raw.closed).toEqual({ code: 4401, reason: 'Unauthorized' })
  })

  test('a socket with one stays', async () => {
    await start({ webSocketLimits: { anonymousMs: LONG_MS } })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const anonymous = await initRawSocket(server.url)
    const named = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    const late = await initRawSocket(server.url)
    late.send({
      type: 'subscribe',
      id: '1',
      payload: { query: CAPACITY, extensions: { headers: { authorization: 'Bearer reader' } } },
    })
    await late.message('complete')
    vi.advanceTimersByTime(LONG_MS)
    expect((await anonymous.closed).code).toBe(4401)
    for (const raw of [named, late]) {
      raw.send({ type: 'ping' })
      expect(await raw.message('pong')).toEqual({ type: 'pong' })
      raw.socket.close()
    }
  })

  test('one that is revoked closes its sockets 4403 and frees their followers, and no other', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    const other = await initRawSocket(server.url, { 'X-API-Key': 'writer' })
    for (const socket of [raw, other]) socket.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    await expect.poll(() => server.followers.map(({ pulled }) => pulled)).toEqual([1, 1])
    server.invalidate('reader')
    expect((await raw.closed).code).toBe(4403)
    expect(server.followers.map(({ freed }) => freed).toSorted()).toEqual([false, true])
    other.send({ type: 'ping' })
    await other.message('pong')
    other.socket.close()
  })

  test('after its key was revoked a socket that has not agreed to close yet starts nothing', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.socket.pause()
    server.invalidate('reader')
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    raw.socket.resume()
    expect((await raw.closed).code).toBe(4403)
    expect(server.followers).toEqual([])
  })

  test('what the scope does not allow is FORBIDDEN', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'connector' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    expect((await raw.message('next')).payload?.errors?.[0]?.extensions.code).toBe('FORBIDDEN')
    await raw.message('complete')
    expect(server.followers).toEqual([])
    raw.socket.close()
  })
})

describe('the protocol', () => {
  test('what is no message closes 4400', async () => {
    await start()
    for (const message of ['no json', '[]', '{"type":"nonsense"}', '{"id":"1","type":"subscribe"}']) {
      const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
      raw.send(message)
      expect([message, (await raw.closed).code]).toEqual([message, 4400])
    }
  })

  test('an operation before connection_init closes 4401', async () => {
    await start()
    const raw = await openRawSocket(server.url)
    raw.send({ type: 'subscribe', id: '1', payload: { query: CAPACITY } })
    expect((await raw.closed).code).toBe(4401)
  })

  test('another subprotocol, or none, closes 4406', async () => {
    await start()
    expect((await (await openRawSocket(server.url, '')).closed).code).toBe(4406)
    // The ws client itself rejects a server that does not select the requested protocol.
    await expect(openRawSocket(server.url, 'graphql-ws')).rejects.toThrow(/subprotocol/)
  })

  test('no connection_init closes 4408', async () => {
    await start({ webSocketLimits: { initMs: 50 } })
    expect((await (await openRawSocket(server.url)).closed).code).toBe(4408)
  })

  test('an id that is taken closes 4409', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    expect((await raw.closed).code).toBe(4409)
    await expect.poll(() => server.followers.every(({ freed }) => freed)).toBe(true)
  })

  test('a second connection_init closes 4429', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'connection_init' })
    expect((await raw.closed).code).toBe(4429)
  })

  test('errors of parsing and validating come as error, and the socket stays', async () => {
    await start()
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    for (const [query, code] of [
      ['{', 'GRAPHQL_PARSE_FAILED'],
      ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ]) {
      raw.send({ type: 'subscribe', id: '1', payload: { query } })
      const errors = (await raw.message('error', '1')).payload as unknown as { extensions: { code: string } }[]
      expect(errors[0]?.extensions).toEqual({ code })
    }
    raw.socket.close()
  })

  test('another path is 404', async () => {
    await start()
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { connection: 'upgrade', upgrade: 'websocket' }
      request(`${server.url}/elsewhere`, { headers }, (response) => resolve(response.statusCode))
        .on('error', reject)
        .end()
    })
    expect(status).toBe(404)
  })
})

describe('limits', () => {
  test('operations of one socket', async () => {
    await start({ webSocketLimits: { operationsPerSocket: 3 } })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    for (const id of ['1', '2', '3', '4']) raw.send({ type: 'subscribe', id, payload: { query: WATCH } })
    const refused = (await raw.message('error', '4')).payload as unknown as { extensions: { code: string } }[]
    expect(refused[0]?.extensions.code).toBe('TOO_MANY_OPERATIONS')
    raw.send({ type: 'complete', id: '1' })
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
    raw.send({ type: 'subscribe', id: '5', payload: { query: WATCH } })
    await expect.poll(() => server.followers.length).toBe(4)
    raw.socket.close()
  })

  test('what a socket may send without a valid key', async () => {
    await start({ webSocketLimits: { anonymousBytes: 2000 } })
    const known = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    const anonymous = await initRawSocket(server.url)
    for (const raw of [known, anonymous]) {
      for (let pings = 0; pings < 10; pings += 1) raw.send({ type: 'ping', payload: { text: 'x'.repeat(200) } })
    }
    expect(await anonymous.closed).toEqual({ code: 4401, reason: 'Unauthorized' })
    known.send({ type: 'subscribe', id: '1', payload: { query: CAPACITY } })
    await known.message('complete')
    known.socket.close()
  })

  test('the size of a message', async () => {
    await start({ webSocketLimits: { messageBytes: 1000 } })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'ping', payload: { text: 'x'.repeat(2000) } })
    expect((await raw.closed).code).toBe(1009)
  })

  test('a reader that stops reading stops its follower, at a bounded distance', async () => {
    const text = 'x'.repeat(100_000)
    await start({ produce: (pull) => batchOf([consoleEntry(pull + 1, text)], false) })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.socket.pause()
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
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
    // The kernel's buffers take a few megabytes; the server holds one message more.
    expect(pulled).toBeLessThan(200)
    raw.socket.resume()
    await expect.poll(() => server.followers[0]!.pulled).toBeGreaterThan(pulled + 50)
    raw.socket.terminate()
  })

  test('a reader that never answers pings is cut off', async () => {
    await start({ webSocketLimits: { pingMs: LONG_MS } })
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
    await expect.poll(() => server.followers[0]?.pulled).toBe(1)
    const answered = once(raw.socket, 'ping')
    vi.advanceTimersByTime(LONG_MS)
    await answered
    // Its answer to the ping comes before that to this message.
    raw.send({ type: 'ping' })
    await raw.message('pong')
    raw.socket.pause()
    vi.advanceTimersByTime(LONG_MS)
    expect(server.followers[0]?.freed).toBe(false)
    vi.advanceTimersByTime(LONG_MS)
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
    raw.socket.terminate()
  })
})

test('a follower that fails midway ends with a masked error, and its cause is in the log', async () => {
  await start({
    produce: (pull) => (pull === 0 ? batchOf([consoleEntry(1)]) : Promise.reject(new Error('secret of the database'))),
  })
  const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
  raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
  await raw.message('next')
  const { payload } = await raw.message('next')
  const error = payload?.errors?.[0] as { message: string; extensions: { code: string; correlationId: string } }
  expect(error.extensions.code).toBe('INTERNAL')
  expect(JSON.stringify(payload)).not.toContain('secret')
  await raw.message('complete')
  const line = server.logged.find(({ correlationId }) => correlationId === error.extensions.correlationId)
  expect(line?.err?.message).toBe('secret of the database')
  raw.socket.close()
})

test('when the server closes, its sockets close 1001', async () => {
  await start()
  const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
  raw.send({ type: 'subscribe', id: '1', payload: { query: WATCH } })
  await expect.poll(() => server.followers[0]?.pulled).toBe(1)
  await server.close()
  expect(await raw.closed).toEqual({ code: 1001, reason: 'Going away' })
  expect(server.followers[0]?.freed).toBe(true)
  await start()
})
