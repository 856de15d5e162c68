import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { followLog, type LogEndpoint, type LogRetry } from '../../src/client/follow-log.ts'
import { leakGate } from '../support/leak-gate.ts'

/** Behavior of servers and proxies that ours lacks. */

leakGate()

const WATCH =
  'subscription ($after: String) { consoleMessages(sessionId: "s1", after: $after) { cursor entries { n } } }'

type Answer = (response: ServerResponse, request: IncomingMessage & { body: string }) => void

let server: Server
let url: string
/** One for each request. */
let answers: Answer[]
let requests: { headers: IncomingMessage['headers']; body: string }[]
let retries: LogRetry[]

beforeEach(async () => {
  answers = []
  requests = []
  retries = []
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      requests.push({ headers: request.headers, body })
      answers.shift()!(response, Object.assign(request, { body }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const event = (n: number) =>
  `event: next\ndata: ${JSON.stringify({ data: { consoleMessages: { cursor: `c${n}`, entries: [{ n }] } } })}\n\n`
const COMPLETE = 'event: complete\ndata:\n\n'

/** Writes these chunks, and ends the response as if it were complete. */
const stream =
  (...pieces: (string | Buffer)[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    for (const piece of pieces) response.write(piece)
    response.end()
  }

const refuse =
  (status: number, headers: Record<string, string>, body: string): Answer =>
  (response) =>
    response.writeHead(status, headers).end(body)

async function readAll(endpoint: Partial<LogEndpoint> = {}): Promise<number[]> {
  const seen: number[] = []
  const options = { minDelayMs: 1, maxDelayMs: 1, onRetry: (retry: LogRetry) => retries.push(retry) }
  type Watched = { consoleMessages: { entries: { n: number }[] } }
  for await (const { entries } of followLog<Watched>({ url, ...endpoint }, WATCH, {}, options)) {
    seen.push(...entries.map(({ n }) => n))
  }
  return seen
}

describe('server-sent events', () => {
  test('are asked for with POST, and with headers that are made for each request', async () => {
    answers = [stream(event(1)), stream(event(2), COMPLETE)]
    let asked = 0
    const headers = async () => ({ authorization: `Bearer ${(asked += 1)}` })
    expect(await readAll({ headers })).toEqual([1, 2])
    expect(requests.map(({ headers: sent }) => [sent.authorization, sent.accept, sent['content-type']])).toEqual(
      ['Bearer 1', 'Bearer 2'].map((authorization) => [authorization, 'text/event-stream', 'application/json']),
    )
    expect(requests.map(({ body }) => JSON.parse(body))).toEqual([
      { query: WATCH, variables: {} },
      { query: WATCH, variables: { after: 'c1' } },
    ])
  })

  test('may be cut anywhere on their way, within a character too', async () => {
    const bytes = Buffer.from(event(1).replace('"n":1', '"n":1,"text":"Grüße 🚀"') + event(2) + COMPLETE)
    answers = [stream(':\n\n', ...Array.from(bytes, (byte) => Buffer.of(byte)))]
    expect(await readAll()).toEqual([1, 2])
    expect(retries).toEqual([])
  })

  test('that end without saying so were broken off', async () => {
    answers = [stream(event(1), 'event: next\ndata: {"data":'), stream(), stream(event(2), COMPLETE)]
    expect(await readAll()).toEqual([1, 2])
    expect(retries.map(({ error }) => error.message)).toEqual(Array(2).fill('The stream ended before the log did.'))
  })

  test('that say nothing any more, or never begin, are taken for lost', async () => {
    const silent: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event(1))
    }
    answers = [silent, () => {}, stream(event(2), COMPLETE)]
    expect(await readAll({ idleTimeoutMs: 1_500 })).toEqual([1, 2])
    expect(retries.map(({ error }) => error.message)).toEqual(Array(2).fill('The server sent nothing for 1500 ms.'))
  })

  test('that came while the process stood still are not taken for lost', async () => {
    const standing: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event(1))
      const stand = () => {
        const until = performance.now() + 1_100
        while (performance.now() < until);
      }
      const sendAndStand = () => {
        response.end(event(2) + COMPLETE)
        // Once it is on its way. Timers come next, and then what has arrived.
        process.nextTick(stand)
      }
      setTimeout(() => setImmediate(sendAndStand), 50)
    }
    answers = [standing, stream(event(3), COMPLETE)]
    expect(await readAll({ idleTimeoutMs: 1_000 })).toEqual([1, 2])
    expect(retries).toEqual([])
  })

  test('of which one is larger than any of the server are not gathered', async () => {
    const flood: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('event: next\ndata: ')
      const piece = 'x'.repeat(1024 * 1024)
      const write = () => {
        while (!response.destroyed && response.write(piece));
      }
      response.on('drain', write)
      write()
    }
    answers = [flood, stream(event(1), COMPLETE)]
    expect(await readAll()).toEqual([1])
    expect(retries).toHaveLength(1)
  })

  test('that are malformed are asked for again', async () => {
    answers = [stream('event: next\ndata: {"data"\n\n'), stream(event(1), COMPLETE)]
    expect(await readAll()).toEqual([1])
    expect(retries).toHaveLength(1)
  })
})

describe('a response that is no stream', () => {
  const json = { 'content-type': 'application/json' }

  test.each([
    [refuse(401, {}, 'no'), 'UNAUTHENTICATED', 'The server responded with status 401.'],
    [refuse(403, { 'content-type': 'text/html' }, '<h1>'), 'FORBIDDEN', 'The server responded with status 403.'],
    [refuse(413, {}, ''), null, 'The server responded with status 413.'],
    [
      refuse(400, json, '{"errors":[{"message":"No.","extensions":{"code":"BAD_USER_INPUT"}}]}'),
      'BAD_USER_INPUT',
      'No.',
    ],
  ])('ends it where no retry helps: %#', async (answer, code, message) => {
    answers = [answer]
    await expect(readAll()).rejects.toMatchObject({ code, message })
    expect(requests).toHaveLength(1)
  })

  test.each([
    [refuse(502, { 'content-type': 'text/html' }, '<h1>Bad gateway</h1>'), null],
    [refuse(200, { 'content-type': 'text/html' }, '<h1>Sign in</h1>'), null],
    [refuse(429, {}, ''), null],
    [(response: ServerResponse) => void response.destroy(), null],
    [
      refuse(503, json, '{"errors":[{"message":"Away.","extensions":{"code":"DATABASE_UNAVAILABLE"}}]}'),
      'DATABASE_UNAVAILABLE',
    ],
  ])('is asked for again where it may: %#', async (answer, code) => {
    answers = [answer, stream(event(1), COMPLETE)]
    expect(await readAll()).toEqual([1])
    expect(retries.map(({ error }) => error.code)).toEqual([code])
  })

  test('that says when to come back is heeded', async () => {
    answers = [refuse(503, { 'retry-after': '1' }, ''), stream(event(1), COMPLETE)]
    expect(await readAll()).toEqual([1])
    expect(retries[0]!.error.retryAfterSeconds).toBe(1)
    expect(retries[0]!.delayMs).toBeGreaterThanOrEqual(1_000)
  })

  test('that has no end is not read to it', async () => {
    const endless: Answer = (response) => {
      response.writeHead(400)
      const write = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', write)
      write()
    }
    answers = [endless]
    await expect(readAll()).rejects.toThrow('status 400')
  })
})

test('leaving the loop ends the request', async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  answers = [
    (response) => {
      response.once('close', resolve)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event(1))
    },
  ]
  for await (const batch of followLog({ url }, WATCH, {})) {
    expect(batch).toMatchObject({ cursor: 'c1' })
    break
  }
  await closed
})
