import { afterEach, describe, expect, test, vi } from 'vitest'
import { MULTIPART_STREAM } from '../../src/server/graphql/multipart-stream.ts'
import { resultStream } from '../../src/server/graphql/result-stream.ts'
import { batchOf, consoleEntry, SESSION_ID, startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'

const WATCH = `subscription { consoleMessages(sessionId: "${SESSION_ID}") { entries { sequence text } cursor live } }`
/** The Accept header of Apollo Client, and that of the protocol's description. */
const APOLLO =
  'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9'
const DESCRIBED = 'multipart/mixed; boundary="graphql"; subscriptionSpec="1.0", application/json'

let server: FakeServer

const start = async (options: FakeOptions = {}) => (server = await startFakeServer(options))

afterEach(async () => {
  vi.useRealTimers()
  await server.close()
})

const watch = (accept: string, { key = 'reader', signal }: { key?: string; signal?: AbortSignal } = {}) =>
  fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key, accept },
    body: JSON.stringify({ query: WATCH }),
    ...(signal ? { signal } : {}),
  })

/** The bodies of the parts that are complete, and whether the last delimiter is there. */
function partsOf(text: string): { parts: unknown[]; complete: boolean } {
  const [preamble, ...pieces] = text.split('\r\n--graphql')
  expect(preamble).toBe('')
  const rest = pieces.pop()
  const parts = pieces.map((piece) => {
    const [headers, body] = piece.split('\r\n\r\n')
    expect(headers).toBe('\r\ncontent-type: application/json; charset=utf-8')
    return JSON.parse(body!) as unknown
  })
  return { parts, complete: rest === '--\r\n' }
}

describe('subscriptions as multipart/mixed', () => {
  test.each([APOLLO, DESCRIBED])(
    'deliver results as parts and end with the last delimiter, asked for as %s',
    async (accept) => {
      await start({ produce: (pull) => (pull < 2 ? batchOf([consoleEntry(pull + 1)]) : null) })
      const response = await watch(accept)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('multipart/mixed; boundary="graphql"; subscriptionSpec=1.0')
      expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
      const body = response.text()
      await expect.poll(() => server.followers[0]?.pulled).toBe(3)
      await server.followers[0]!.return()
      const { parts, complete } = partsOf(await body)
      expect(complete).toBe(true)
      expect(parts).toEqual(
        [1, 2].map((sequence) => ({
          payload: {
            data: {
              consoleMessages: {
                entries: [{ sequence, text: `line ${sequence}` }],
                cursor: expect.any(String),
                live: true,
              },
            },
          },
        })),
      )
    },
  )

  test('a part is complete as soon as its result is there', async () => {
    await start({ produce: (pull) => (pull === 0 ? batchOf([consoleEntry(1)]) : null) })
    const leaving = new AbortController()
    const reader = (await watch(APOLLO, { signal: leaving.signal })).body!.getReader()
    let text = ''
    while (partsOf(text || '\r\n--graphql').parts.length === 0) {
      text += Buffer.from((await reader.read()).value!).toString()
    }
    leaving.abort()
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
  })

  test('a quiet stream is kept open by empty parts', async () => {
    await start()
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    async function* quiet(): AsyncGenerator<never, void, void> {
      await ended
      yield* []
    }
    const reader = resultStream(quiet(), MULTIPART_STREAM).getReader()
    const read = async () => Buffer.from((await reader.read()).value!).toString()
    let text = await read()
    for (let beat = 1; beat <= 2; beat += 1) {
      vi.advanceTimersByTime(12_000)
      text += await read()
    }
    expect(partsOf(text).parts).toEqual([{}, {}])
    end()
    expect(await read()).toBe('--\r\n')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a client that stops reading stops the follower', async () => {
    const text = 'x'.repeat(100_000)
    await start({ produce: (pull) => batchOf([consoleEntry(pull + 1, text)], false) })
    const leaving = new AbortController()
    const response = await watch(APOLLO, { signal: leaving.signal })
    let pulled = -1
    const stands = () => {
      const before = pulled
      pulled = server.followers[0]?.pulled ?? 0
      return pulled > 0 && pulled === before
    }
    await expect.poll(stands, { interval: 200 }).toBe(true)
    expect(pulled).toBeLessThan(200)
    const reader = response.body!.getReader()
    for (let read = 0; read < 10_000_000; read += (await reader.read()).value?.length ?? 0);
    expect(server.followers[0]!.pulled).toBeGreaterThan(pulled)
    leaving.abort()
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
  })

  test('a key that is revoked and a server that closes break it off: no last delimiter', async () => {
    await start()
    const revoked = await watch(APOLLO)
    await expect.poll(() => server.followers[0]?.pulled).toBe(1)
    server.invalidate('reader')
    await expect(revoked.text()).rejects.toThrow('terminated')
    await expect.poll(() => server.followers[0]?.freed).toBe(true)
    const closed = await watch(APOLLO)
    await expect.poll(() => server.followers[1]?.pulled).toBe(1)
    await server.close()
    await expect(closed.text()).rejects.toThrow('terminated')
    await start()
  })

  test('a refusal is JSON where that is accepted, and else the only part', async () => {
    await start()
    const json = await watch(APOLLO, { key: 'connector' })
    expect(json.headers.get('content-type')).toContain('application/graphql-response+json')
    expect(await json.json()).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] })
    const parts = await watch('multipart/mixed;subscriptionSpec=1.0', { key: 'connector' })
    expect(partsOf(await parts.text())).toMatchObject({
      parts: [{ payload: { errors: [{ extensions: { code: 'FORBIDDEN' } }] } }],
      complete: true,
    })
  })

  test.each([
    ['text/event-stream, multipart/mixed;subscriptionSpec=1.0', 'text/event-stream'],
    ['multipart/mixed;subscriptionSpec=1.0, */*', 'multipart/mixed'],
    ['multipart/mixed, */*', 'text/event-stream'],
    ['multipart/mixed, application/json', 'application/json'],
    ['multipart/mixed;subscriptionSpec=2.0, application/json', 'application/json'],
  ])('%s is served as %s', async (accept, expected) => {
    await start()
    const leaving = new AbortController()
    const response = await watch(accept, { signal: leaving.signal })
    expect(response.headers.get('content-type')).toContain(expected)
    expect(response.status).toBe(expected === 'application/json' ? 406 : 200)
    leaving.abort()
  })
})
