import { createClient } from 'graphql-sse'
import { afterEach, describe, expect, test } from 'vitest'
import { RESPONSE_LIMITS } from '../../src/domain/log/reading/operation-reads.ts'
import { sizeOfResponse } from '../../src/server/graphql/response-size.ts'
import { batchOf, consoleEntry, SESSION_ID, startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'
import { initRawSocket } from './raw-socket.ts'

/** A name of a session that takes 1.2 MB of JSON. */
const NAME = '\u0001'.repeat(200_000)

let server: FakeServer
const start = async (options: FakeOptions = {}) => (server = await startFakeServer(options))
afterEach(() => server.close())

const aliases = (count: number, field: string) =>
  Array.from({ length: count }, (_, index) => `a${index}: ${field}`).join(' ')
const namesOf = (count: number) => `{ session(id: "${SESSION_ID}") { ${aliases(count, 'name')} } }`
const linesOf = (count: number) =>
  `subscription { consoleMessages(sessionId: "${SESSION_ID}") { entries { ${aliases(count, 'text')} } cursor } }`

const sessions = { find: async () => ({ id: SESSION_ID, owner: 'me', status: 'RUNNING', name: NAME }) as never }

interface Answer {
  data: { session: Record<string, string> } | null
  errors?: { message: string; extensions: { code: string; maxBytes: number } }[]
}

async function post(query: string): Promise<Answer> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'reader' },
    body: JSON.stringify({ query }),
  })
  return (await response.json()) as Answer
}

describe('a response that is too large', () => {
  test('over HTTP is RESPONSE_TOO_LARGE, with the bound and what to do, whatever made it large', async () => {
    await start({ sessions })
    expect(Object.values((await post(namesOf(13))).data!.session)).toEqual(Array(13).fill(NAME))
    const { data, errors } = await post(namesOf(14))
    expect(data).toBeNull()
    expect(errors?.[0]?.extensions).toEqual({ code: 'RESPONSE_TOO_LARGE', maxBytes: RESPONSE_LIMITS.responseBytes })
    expect(errors?.[0]?.message).toMatch(/fewer items \(first, last\)/)
  })

  test('over WebSocket too, and the socket goes on', async () => {
    await start({ sessions })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: namesOf(14) } })
    expect((await raw.message('next', '1')).payload?.errors?.[0]?.extensions.code).toBe('RESPONSE_TOO_LARGE')
    await raw.message('complete', '1')
    raw.send({ type: 'subscribe', id: '1', payload: { query: namesOf(1) } })
    expect((await raw.message('next', '1')).payload?.data).toEqual({ session: { a0: NAME } })
    raw.socket.close()
  })

  test('ends a subscription, whose reader would miss what it held: over WebSocket', async () => {
    await start({ produce: (pull) => batchOf([consoleEntry(pull + 1, pull === 1 ? NAME : 'x')], false) })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: linesOf(14) } })
    expect((await raw.message('next', '1')).payload?.errors).toBeUndefined()
    expect((await raw.message('next', '1')).payload?.errors?.[0]?.extensions.code).toBe('RESPONSE_TOO_LARGE')
    await raw.message('complete', '1')
    expect(server.followers[0]!.freed).toBe(true)
    raw.socket.close()
  })

  test('and over server-sent events', async () => {
    await start({ produce: (pull) => batchOf([consoleEntry(pull + 1, pull === 1 ? NAME : 'x')], false) })
    const client = createClient({ url: `${server.url}/graphql`, headers: { 'x-api-key': 'reader' }, retryAttempts: 0 })
    const results = client.iterate({ query: linesOf(14) })
    expect((await results.next()).value?.errors).toBeUndefined()
    expect((await results.next()).value?.errors?.[0]?.extensions?.['code']).toBe('RESPONSE_TOO_LARGE')
    expect((await results.next()).done).toBe(true)
    await expect.poll(() => server.followers[0]!.freed).toBe(true)
    client.dispose()
  })

  test.each(['p', '\u0001', '"', '漢', '😀', '\ud800'])('is measured as it would be written: %j', async (text) => {
    await start()
    const data = { session: { name: text.repeat(50_000), [text]: [1.5, null, true, { nested: text }] } }
    const exact = Buffer.byteLength(JSON.stringify({ data }))
    expect(await sizeOfResponse({ data }, exact + 100)).toBeLessThanOrEqual(exact + 100)
    expect(await sizeOfResponse({ data }, exact - 100)).toBeNull()
  })
})

describe('a reader that leaves', () => {
  /** Pages that are read for as long as a caller waits. */
  function slowPages() {
    const reading = { begun: 0, left: 0 }
    const page = (_session: unknown, _args: unknown, reads: { signal: AbortSignal }) => {
      reading.begun += 1
      const { promise, reject } = Promise.withResolvers<never>()
      reads.signal.addEventListener('abort', () => {
        reading.left += 1
        reject(reads.signal.reason as Error)
      })
      return promise
    }
    return { reading, logs: { page: page as never } }
  }
  const PAGE = `{ session(id: "${SESSION_ID}") { consoleMessages(first: 10) { nodes { text } } } }`

  test.each(['by completing its query', 'by closing its socket'])('is not read for any more: %s', async (how) => {
    const { reading, logs } = slowPages()
    await start({ logs })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.send({ type: 'subscribe', id: '1', payload: { query: PAGE } })
    await expect.poll(() => reading.begun).toBe(1)
    if (how === 'by completing its query') raw.send({ type: 'complete', id: '1' })
    else raw.socket.terminate()
    await expect.poll(() => reading.left).toBe(1)
    raw.socket.terminate()
    expect(server.logged.filter(({ msg }) => msg === 'an operation failed')).toEqual([])
  })

  test('is not read for any more over HTTP', async () => {
    const { reading, logs } = slowPages()
    await start({ logs })
    const leaving = new AbortController()
    const asked = fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'reader' },
      body: JSON.stringify({ query: PAGE }),
      signal: leaving.signal,
    })
    await expect.poll(() => reading.begun).toBe(1)
    leaving.abort()
    await expect(asked).rejects.toThrow()
    await expect.poll(() => reading.left).toBe(1)
    expect(server.logged.filter(({ msg }) => msg === 'an operation failed')).toEqual([])
  })
})

describe('a reader that does not read', () => {
  test('is disconnected when it has left more unread than a socket may', async () => {
    await start({ sessions, webSocketLimits: { unreadBytes: 1_000_000 } })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    raw.socket.pause()
    // The kernel takes some megabytes before anything is left with us.
    for (let id = 0; id < 40; id += 1) {
      raw.send({ type: 'subscribe', id: String(id), payload: { query: namesOf(4) } })
    }
    await expect.poll(() => server.logged.some(({ msg }) => msg === 'a WebSocket left too much unread')).toBe(true)
    raw.socket.resume()
    expect((await raw.closed).code).toBe(1006)
  })

  test('and one that reads is not, whatever it asks for', async () => {
    await start({ sessions, webSocketLimits: { unreadBytes: 1_000_000 } })
    const raw = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    for (let id = 0; id < 8; id += 1) {
      raw.send({ type: 'subscribe', id: String(id), payload: { query: namesOf(2) } })
      await raw.message('complete', String(id))
    }
    expect(server.logged.some(({ msg }) => msg === 'a WebSocket left too much unread')).toBe(false)
    raw.socket.close()
  })

  test('is disconnected when all readers together hold more than the server has room for', async () => {
    await start({ sessions, deliveryLimits: { totalBytes: 2_000_000 } })
    const stalled = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    stalled.socket.pause()
    for (let id = 0; id < 40; id += 1) {
      stalled.send({ type: 'subscribe', id: String(id), payload: { query: namesOf(4) } })
    }
    await expect
      .poll(() => server.logged.some(({ msg }) => msg === 'a reader was disconnected to make room for others'))
      .toBe(true)
    const live = await initRawSocket(server.url, { 'X-API-Key': 'reader' })
    live.send({ type: 'subscribe', id: '1', payload: { query: namesOf(1) } })
    await live.message('complete', '1')
    stalled.socket.resume()
    expect((await stalled.closed).code).toBe(1006)
    live.socket.close()
  })
})
