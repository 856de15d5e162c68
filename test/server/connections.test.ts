import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import WebSocket from 'ws'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { cdpSubject } from '../../src/domain/links/signed-links.ts'
import { ClientAddresses } from '../../src/server/base/client-addresses.ts'
import { CONNECTION_LIMITS, Connections } from '../../src/server/base/connections.ts'
import { SESSION_ID, SESSION_UUID, startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'
import { initRawSocket, openRawSocket, type RawSocket } from './raw-socket.ts'

const CAPACITY = '{ capacity { total } }'
const WATCH = `subscription { consoleMessages(sessionId: "${SESSION_ID}") { cursor } }`
const READER = { 'X-API-Key': 'reader' }
const NEVER = 600_000
const MADE_SPACE = { code: 1013, reason: 'TOO_MANY_CONNECTIONS: too many connections without an API key' }

let server: FakeServer
const opened: { destroy(): void }[] = []

const start = async (options: FakeOptions = {}) => (server = await startFakeServer(options))

afterEach(async () => {
  for (const one of opened.splice(0)) one.destroy()
  await server?.close()
})

async function initFrom(localAddress: string, payload?: object, headers: Record<string, string> = {}) {
  const raw = await initRawSocket(server.url, payload, { localAddress, headers })
  opened.push({ destroy: () => raw.socket.terminate() })
  return raw
}

/** A connection on which this was sent. */
async function tcp(text: string, localAddress = '127.0.0.1') {
  const { hostname, port } = new URL(server.url)
  const socket: Socket = connect({ port: Number(port), host: hostname, localAddress })
  opened.push(socket)
  socket.on('error', () => {})
  let received = ''
  socket.on('data', (data) => (received += String(data)))
  const state = { isClosed: false }
  socket.once('close', () => (state.isClosed = true))
  if (text !== '') socket.write(text)
  await new Promise((resolve) => socket.once('connect', resolve))
  return { socket, read: () => received, isClosed: () => state.isClosed }
}

async function isAlive(raw: RawSocket): Promise<boolean> {
  raw.send({ type: 'ping' })
  return Promise.race([raw.message('pong').then(() => true), raw.closed.then(() => false)])
}

const post = (key: string, agent?: Agent, query = CAPACITY, headers: Record<string, string> = {}) =>
  new Promise<{ status: number; retryAfter: string | undefined; body: string }>((resolve, reject) => {
    const sent = request(
      `${server.url}/graphql`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json', 'x-api-key': key, ...headers } },
      (response) => {
        let body = ''
        response.on('data', (chunk) => (body += String(chunk)))
        response.once('end', () =>
          resolve({ status: response.statusCode!, retryAfter: response.headers['retry-after'], body }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(JSON.stringify({ query }))
  })

describe('connections that show no key', () => {
  test('of one address: the oldest makes room, and nobody elsewhere', async () => {
    await start({ connectionLimits: { anonymousPerAddress: 2, settleMs: 20 } })
    const elsewhere = await initFrom('127.0.0.2')
    const sockets = []
    for (let count = 0; count < 4; count += 1) sockets.push(await initFrom('127.0.0.1'))
    expect(await sockets[0]!.closed).toEqual(MADE_SPACE)
    expect(await sockets[1]!.closed).toEqual(MADE_SPACE)
    for (const raw of [sockets[2]!, sockets[3]!, elsewhere]) expect(await isAlive(raw)).toBe(true)
  })

  test('of all addresses: the oldest makes room at once', async () => {
    await start({ connectionLimits: { anonymous: 3, settleMs: NEVER } })
    const sockets = []
    for (let count = 1; count <= 5; count += 1) sockets.push(await initFrom(`127.0.0.${count}`))
    for (const raw of sockets.slice(0, 2)) expect(await raw.closed).toEqual(MADE_SPACE)
    for (const raw of sockets.slice(2)) expect(await isAlive(raw)).toBe(true)
  })

  test('of all addresses: those of a crowded one make room first', async () => {
    await start({ connectionLimits: { anonymousPerAddress: 1, anonymous: 3, settleMs: NEVER } })
    const early = await initFrom('127.0.0.2')
    const crowd = [await initFrom('127.0.0.1'), await initFrom('127.0.0.1'), await initFrom('127.0.0.1')]
    expect(await crowd[0]!.closed).toEqual(MADE_SPACE)
    const late = await initFrom('127.0.0.3')
    expect(await crowd[1]!.closed).toEqual(MADE_SPACE)
    for (const raw of [early, late, crowd[2]!]) expect(await isAlive(raw)).toBe(true)
  })

  test.each([
    ['say nothing', ''],
    ['drip their headers', 'POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    [
      'drip a body',
      'POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{',
    ],
    ['are kept alive', 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['were refused', 'POST /graphql HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Length: 900\r\n\r\n'],
    ['have no link to a session', 'GET /cdp/nothing/json/version HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('count whatever they do: they %s', async (_, text) => {
    await start({
      connectionLimits: { anonymousPerAddress: 1, settleMs: 20 },
      requestLimits: { headersMs: NEVER, requestMs: NEVER, keepAliveMs: NEVER, discardMs: NEVER, checkMs: NEVER },
    })
    const first = await tcp(text)
    const second = await tcp(text)
    await expect.poll(first.isClosed).toBe(true)
    expect(second.isClosed()).toBe(false)
    expect(await isAlive(await initFrom('127.0.0.1', READER))).toBe(true)
    expect((await post('reader')).status).toBe(200)
  })

  test('keep nobody out who has one, however many they are', async () => {
    await start({ connectionLimits: { anonymousPerAddress: 5, anonymous: 20, settleMs: 20 } })
    const crowd = await Promise.all(Array.from({ length: 100 }, () => tcp('')))
    const known = await initFrom('127.0.0.1', READER)
    known.send({ type: 'subscribe', id: '1', payload: { query: CAPACITY } })
    await known.message('complete')
    expect((await post('reader')).status).toBe(200)
    await expect.poll(() => crowd.filter(({ isClosed }) => !isClosed()).length).toBe(5)
  })

  test('are cut when they do not read their response', async () => {
    await start({ connectionLimits: { stallMs: 200 } })
    const [asset] = (await (await fetch(`${server.url}/graphiql`)).text()).match(
      /graphiql\/assets\/graphiql-[\w-]+\.js/,
    )!
    const reader = await tcp('')
    reader.socket.pause()
    reader.socket.write(`GET /${asset} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3))
    // A client that does not read notices the end only by writing; empty lines before a request are ignored.
    const knocking = setInterval(() => reader.socket.write('\r\n'), 500)
    await expect.poll(reader.isClosed).toBe(true)
    clearInterval(knocking)
  })
})

test('requests that are sent far ahead of their responses end the connection', async () => {
  await start({ connectionLimits: { pipelined: 3 } })
  const health = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n'
  const patient = await tcp(health.repeat(3))
  await expect.poll(() => patient.read().match(/ 200 OK/g)).toHaveLength(3)
  const hasty = await tcp(health.repeat(100))
  await expect.poll(hasty.isClosed).toBe(true)
  expect(patient.isClosed()).toBe(false)
})

test('many who ask at once whether the server is ready make it look once', async () => {
  const { promise: looked, resolve: look } = Promise.withResolvers<void>()
  let looks = 0
  const readiness = async () => {
    looks += 1
    await looked
    return { ready: true, missing: [], degraded: [] }
  }
  await start({ readiness })
  const ask = 'GET /ready HTTP/1.1\r\nHost: x\r\n\r\n'
  const asking = [await tcp(ask.repeat(10)), await tcp(ask.repeat(10))]
  // Served in order: the last of them has been received.
  for (const one of asking) one.socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
  await expect.poll(() => looks).toBe(1)
  look()
  for (const one of asking) await expect.poll(() => one.read().match(/ 200 OK/g)).toHaveLength(11)
  await fetch(`${server.url}/ready`)
  expect(looks).toBeLessThanOrEqual(3)
})

describe('a valid key', () => {
  test('takes its connection out of the budget at once, in connection_init, an operation or a request', async () => {
    await start({ connectionLimits: { anonymousPerAddress: 1, settleMs: 1_000 } })
    const known: RawSocket[] = []
    for (let count = 0; count < 3; count += 1) {
      known.push(await initFrom('127.0.0.1', READER))
      const late = await initFrom('127.0.0.1')
      const payload = { query: CAPACITY, extensions: { headers: READER } }
      late.send({ type: 'subscribe', id: '1', payload })
      await late.message('complete')
      known.push(late)
    }
    const agent = new Agent({ keepAlive: true })
    opened.push(agent)
    await Promise.all(Array.from({ length: 5 }, () => post('reader', agent)))
    const anonymous = [await tcp(''), await tcp('')]
    await expect.poll(anonymous[0]!.isClosed).toBe(true)
    for (const raw of known) expect(await isAlive(raw)).toBe(true)
    expect(
      (await Promise.all(Array.from({ length: 5 }, () => post('reader', agent)))).map(({ status }) => status),
    ).toEqual([200, 200, 200, 200, 200])
  })

  test('that has arrived counts, though the process stood still before it was read', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const limits = { ...CONNECTION_LIMITS, anonymousPerAddress: 1 }
    const connections = new Connections(new ClientAddresses([]), limits)
    const openOne = () => {
      const socket = connect({ port: 1, lookup: () => {}, host: 'nowhere' })
      opened.push(socket)
      return connections.open(socket)
    }
    const [first, second] = [openOne(), openOne()]
    vi.advanceTimersByTime(2 * limits.settleMs)
    // Timers that are due come before what has arrived, in the same turn.
    first.begin({})
    first.admit('ann', 'key')
    await turn()
    expect([first, second].map(({ socket }) => socket.destroyed)).toEqual([false, false])
    openOne()
    vi.advanceTimersByTime(2 * limits.settleMs)
    await turn()
    expect([first, second].map(({ socket }) => socket.destroyed)).toEqual([false, true])
    connections.close()
  })

  test('counts for its own request alone: the next one over the same connection shows another', async () => {
    await start({ connectionLimits: { anonymousPerAddress: 1, settleMs: 20 }, requestLimits: { keepAliveMs: NEVER } })
    const ask = (key: string) => `GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\n\r\n`
    const first = await tcp(ask('reader'))
    await expect.poll(first.read).toContain('HTTP/1.1 200 ')
    first.socket.write(ask('wrong'))
    await expect.poll(first.read).toContain('HTTP/1.1 401 ')
    await tcp('')
    await expect.poll(first.isClosed).toBe(true)
  })
})

describe('addresses', () => {
  const FROM = (client: string) => ({ 'X-Forwarded-For': client })
  const budget = { anonymousPerAddress: 1, settleMs: 20 }

  test('come from a trusted proxy, which has no budget itself', async () => {
    await start({ connectionLimits: budget, trustedProxies: ['127.0.0.9'] })
    const idle = [await tcp('', '127.0.0.9'), await tcp('', '127.0.0.9'), await tcp('', '127.0.0.9')]
    const [one, other] = [
      await initFrom('127.0.0.9', undefined, FROM('192.0.2.1')),
      await initFrom('127.0.0.9', undefined, FROM('192.0.2.2')),
    ]
    const again = await initFrom('127.0.0.9', undefined, FROM('192.0.2.1'))
    expect(await one.closed).toEqual(MADE_SPACE)
    for (const raw of [other, again]) expect(await isAlive(raw)).toBe(true)
    expect(idle.map(({ isClosed }) => isClosed())).toEqual([false, false, false])
  })

  test('do not come from anyone else', async () => {
    await start({ connectionLimits: budget, trustedProxies: ['127.0.0.9'] })
    const one = await initFrom('127.0.0.1', undefined, FROM('192.0.2.1'))
    const other = await initFrom('127.0.0.1', undefined, FROM('192.0.2.2'))
    expect(await one.closed).toEqual(MADE_SPACE)
    expect(await isAlive(other)).toBe(true)
  })
})

describe('connections with a key', () => {
  const TOO_MANY = /^TOO_MANY_CONNECTIONS: This owner has 2 connections open/

  test('have a limit for each owner, told over WebSocket by a code that clients retry after', async () => {
    await start({ connectionLimits: { perOwner: 2 } })
    const first = await initFrom('127.0.0.1', READER)
    await initFrom('127.0.0.1', READER)
    const raw = await openRawSocket(server.url)
    raw.send({ type: 'connection_init', payload: READER })
    expect(await raw.closed).toEqual({ code: 1013, reason: expect.stringMatching(TOO_MANY) })

    const late = await initFrom('127.0.0.1')
    const operation = { query: CAPACITY, extensions: { headers: READER } }
    late.send({ type: 'subscribe', id: '1', payload: operation })
    const errors = (await late.message('error')).payload as unknown as { extensions: object }[]
    expect(errors[0]!.extensions).toEqual({ code: 'TOO_MANY_CONNECTIONS', retryAfterSeconds: 10 })

    first.socket.close()
    await first.closed
    let attempts = 1
    await expect
      .poll(async () => {
        const id = String((attempts += 1))
        late.send({ type: 'subscribe', id, payload: operation })
        return Promise.race([late.message('next', id), late.message('error', id)])
      })
      .toMatchObject({ type: 'next' })
  })

  test('and one in all, told over HTTP with the time to come back', async () => {
    await start({ connectionLimits: { authenticated: 2 } })
    const leaving = new AbortController()
    for (let count = 0; count < 2; count += 1) {
      await fetch(`${server.url}/graphql?query=${encodeURIComponent(WATCH)}`, {
        headers: { 'x-api-key': 'reader', accept: 'text/event-stream' },
        signal: leaving.signal,
      })
    }
    const refused = await post('reader')
    expect([refused.status, refused.retryAfter]).toEqual([503, '10'])
    expect(JSON.parse(refused.body).errors[0].extensions).toEqual({
      code: 'TOO_MANY_CONNECTIONS',
      retryAfterSeconds: 10,
    })
    leaving.abort()
    await expect.poll(async () => (await post('reader')).status).toBe(200)
  })

  test('and are refused before they are upgraded, where a link tells whose they are', async () => {
    const session = { owner: 'me' } as SessionHandle
    await start({ connectionLimits: { perOwner: 0 }, sessions: { findRunning: async () => session } })
    const terms = server.links.terms({ apiKeyId: 'token:test', expiresAt: null }, 60)
    const query = new URLSearchParams({ ...server.links.sign('cdp', cdpSubject(SESSION_UUID), terms) })
    const link = `${server.url.replace('http', 'ws')}/cdp/${SESSION_ID}?${query.toString()}`
    const refused = new Promise<[number | undefined, string | undefined]>((resolve) => {
      new WebSocket(link).once('unexpected-response', (_, { statusCode, headers }) =>
        resolve([statusCode, headers['retry-after']]),
      )
    })
    expect(await refused).toEqual([503, '10'])
  })

  test('make room when they are idle', async () => {
    await start({ connectionLimits: { perOwner: 2 }, requestLimits: { keepAliveMs: NEVER } })
    const agent = new Agent({ keepAlive: true })
    opened.push(agent)
    await Promise.all([post('reader', agent), post('reader', agent)])
    expect(await isAlive(await initFrom('127.0.0.1', READER))).toBe(true)
    expect(await isAlive(await initFrom('127.0.0.1', READER))).toBe(true)
    expect((await post('reader')).status).toBe(503)
  })

  test('are not kept out by those with links to what is the owner’s', async () => {
    const connections = new Connections(new ClientAddresses([]), { ...CONNECTION_LIMITS, perOwner: 1 })
    const sockets = Array.from({ length: 3 }, () => connect({ port: 1, lookup: () => {}, host: 'nowhere' }))
    opened.push(...sockets)
    const [link, another, key] = sockets.map((socket) => connections.open(socket))
    for (const connection of [link!, another!, key!]) connection.begin({})
    link!.admit('ann', 'link')
    expect(() => another!.admit('ann', 'link')).toThrow(/has 1 connections open/)
    key!.admit('ann', 'key')
    connections.close()
  })
})

test('wrong keys of one address are refused for a while once they are too many, by every way', async () => {
  await start({ tooManyWrongKeys: true })
  const refused = await post('wrong')
  expect([refused.status, refused.retryAfter]).toEqual([429, '1'])
  const codeOf = { extensions: { code: 'RATE_LIMITED', retryAfterSeconds: 1 } }
  expect(JSON.parse(refused.body).errors[0]).toMatchObject(codeOf)
  const raw = await openRawSocket(server.url)
  raw.send({ type: 'connection_init', payload: { 'X-API-Key': 'wrong' } })
  expect(await raw.closed).toEqual({ code: 1013, reason: expect.stringMatching(/^RATE_LIMITED: /) })
  const late = await initFrom('127.0.0.1')
  late.send({
    type: 'subscribe',
    id: '1',
    payload: { query: CAPACITY, extensions: { headers: { 'X-API-Key': 'wrong' } } },
  })
  expect((await late.message('error')).payload).toMatchObject([codeOf])
})
