import { afterEach, describe, expect, test } from 'vitest'
import { SESSION_ID, startFakeServer, type FakeServer } from './fake-server.ts'
import { initRawSocket, type RawSocket } from './raw-socket.ts'

/** Requests are kept while their operations run, which a subscription does for as long as its client likes. */

const KIB = 1024
const WAIT = { timeout: 30_000 }
const FOLLOW = `subscription { consoleMessages(sessionId: "${SESSION_ID}") { cursor } }`

let server: FakeServer
afterEach(() => server.close())
const start = async () => (server = await startFakeServer({ operationMemoryBytes: 1024 * KIB }))

const open = () => initRawSocket(server.url, { 'X-API-Key': 'reader' })
const followers = () => server.followers.filter(({ freed }) => !freed).length

/** A member that makes a request large, and is kept with it. */
const PADDED: [string, (raw: RawSocket, id: string, size: number) => void][] = [
  ['the id', (raw, id, size) => raw.send({ type: 'subscribe', id: id.padEnd(size, 'x'), payload: { query: FOLLOW } })],
  [
    'variables',
    (raw, id, size) =>
      raw.send({ type: 'subscribe', id, payload: { query: FOLLOW, variables: { a: 'x'.repeat(size) } } }),
  ],
  [
    'extensions',
    (raw, id, size) =>
      raw.send({ type: 'subscribe', id, payload: { query: FOLLOW, extensions: { a: 'x'.repeat(size) } } }),
  ],
  [
    'the document',
    (raw, id, size) => raw.send({ type: 'subscribe', id, payload: { query: `${FOLLOW} # ${'x'.repeat(size)}` } }),
  ],
]

describe('requests of running operations that are large together', () => {
  test.each(PADDED)('by %s: the socket with the largest is closed, no other', async (_, subscribe) => {
    await start()
    const small = await open()
    subscribe(small, 'a', 100 * KIB)
    const large = await open()
    subscribe(large, 'b', 400 * KIB)
    subscribe(large, 'c', 400 * KIB)
    await expect.poll(followers, WAIT).toBe(3)
    subscribe(small, 'd', 200 * KIB)
    expect(await large.closed).toMatchObject({ code: 1013, reason: expect.stringMatching(/^TOO_MANY_OPERATIONS/) })
    // Those of the small one are left.
    await expect.poll(followers, WAIT).toBe(2)
    // What was closed counts no more.
    subscribe(small, 'e', 400 * KIB)
    await expect.poll(followers, WAIT).toBe(3)
    small.socket.close()
    await small.closed
  })

  test('what has ended counts no more', async () => {
    await start()
    const raw = await open()
    for (let round = 0; round < 5; round += 1) {
      raw.send({ type: 'subscribe', id: String(round), payload: { query: `${FOLLOW} # ${'x'.repeat(500 * KIB)}` } })
      await expect.poll(followers, WAIT).toBe(1)
      raw.send({ type: 'complete', id: String(round) })
      await expect.poll(followers, WAIT).toBe(0)
    }
    raw.socket.close()
    await raw.closed
  })

  test('over HTTP, too', async () => {
    await start()
    const leaving = new AbortController()
    const follow = async (size: number) => {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': 'reader', accept: 'text/event-stream' },
        body: JSON.stringify({ query: FOLLOW, variables: { a: 'x'.repeat(size) } }),
        signal: leaving.signal,
      })
      return response.text().then(
        () => 'ended',
        () => 'broken',
      )
    }
    const small = follow(100 * KIB)
    const large = follow(600 * KIB)
    await expect.poll(followers, WAIT).toBe(2)
    const next = follow(500 * KIB)
    expect(await large).toBe('broken')
    await expect.poll(followers, WAIT).toBe(2)
    leaving.abort()
    await Promise.allSettled([small, next])
  })
})

test('a client that leaves while its key is checked leaves nothing behind', async () => {
  const checked = Promise.withResolvers<void>()
  let checks = 0
  server = await startFakeServer({
    authenticating: () => {
      checks += 1
      return checked.promise
    },
  })
  const leaving = new AbortController()
  const asked = fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'reader', accept: 'text/event-stream' },
    body: JSON.stringify({ query: FOLLOW }),
    signal: leaving.signal,
  })
  await expect.poll(() => checks, WAIT).toBe(1)
  leaving.abort()
  await expect(asked).rejects.toThrow()
  // The server sees the connection end before it asks again.
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  checked.resolve()
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  // `close` fails for a key that is still watched.
  expect(server.followers.filter(({ freed }) => !freed)).toEqual([])
})
