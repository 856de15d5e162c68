import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Har, Timings } from 'har-format'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WAIT_LIMITS } from '../support/time-limits.ts'
import { openDevTools, type ImportedRequest } from '../support/devtools-front-end.ts'
import { readHar } from '../support/har-format.ts'
import { startExchangeSite } from '../support/site-exchanges.ts'
import { startSocketSite, type SocketSite } from '../support/site-sockets.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

/** The HAR of a session, imported into the Network panel of the DevTools that the browser itself serves. */

const PIXEL = Buffer.from('R0lGODlhAQABAAAAACw=', 'base64')
/** Nothing listens there: browsers refuse it. */
const UNREACHABLE = 'http://127.0.0.1:1/'

let sockets: SocketSite
let folder: string
let har: Har
let requests: ImportedRequest[]
let rows: string[][]

const { tabwire, site, start, recorded, terminate } = withApp(() =>
  startExchangeSite(() => ({
    '/': `<img src="/pixel.gif"><script>
async function post() {
  return fetch('/orders?page=1&q=a%20b', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"item":"lamp"}' })
}
async function begin() {
  await (await post()).text()
  await (await fetch('/moved')).text()
  await (await fetch('/kept')).text()
  await (await fetch('/kept')).text()
  await fetch('http://localhost:' + location.port + '/closed', { headers: { 'x-own': '1' } }).catch(() => {})
  await fetch('${UNREACHABLE}').catch(() => {})
  const stream = new EventSource('/events')
  await new Promise((resolve) => stream.addEventListener('named', resolve))
  stream.close()
  const socket = new WebSocket(new URLSearchParams(location.search).get('ws') + '/echo')
  socket.onopen = () => {
    socket.send('hello')
    socket.send(new Uint8Array([0, 255]))
  }
  let received = 0
  socket.onmessage = () => { received += 1; if (received === 2) socket.close(1000) }
  await new Promise((resolve) => { socket.onclose = resolve })
  console.log('all asked')
}
onload = begin
</script>`,
    '/pixel.gif': (response) => response.writeHead(200, { 'content-type': 'image/gif' }).end(PIXEL),
    '/orders': (response) =>
      response
        .writeHead(502, 'Bad Luck', {
          'content-type': 'application/json',
          'set-cookie': ['a=1; Path=/', 'b=2; Path=/'],
        })
        .end('{"error":"out of lamps"}'),
    '/moved': (response) => response.writeHead(302, { location: '/kept?moved' }).end(),
    '/kept': (response) =>
      response
        .writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'max-age=600' })
        .end('Zoë'),
    '/closed': (response, { method }) => {
      const allowed = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'x-own' }
      if (method === 'OPTIONS') response.writeHead(204, allowed).end()
      else response.writeHead(200, { 'content-type': 'text/plain' }).end('not for you')
    },
    '/events': (response) =>
      response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .write('id: 7\ndata: one\n\nevent: named\ndata: two\ndata: lines\n\n'),
  })),
)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tw-devtools-har-'))
  sockets = await startSocketSite({})
  const path = join(folder, 'session.har')
  const text = await harOfVisit()
  har = readHar(text)
  await writeFile(path, text)
  await using devTools = await openDevTools()
  requests = await devTools.importHar(path)
  rows = await devTools.rows()
})

afterAll(async () => {
  await sockets?.close()
  await rm(folder, { recursive: true })
})

async function harOfVisit(): Promise<string> {
  const url = `${site().url}/?ws=${encodeURIComponent(sockets.socketUrl)}`
  const { id } = await start({ initialPrompt: url, capture: { bodies: 'ALL' } })
  const said = () => readEntireLog<{ text: string }>(tabwire(), id, 'text', { connection: 'consoleMessages' })
  await vi.waitFor(async () => expect(await said()).toContainEqual({ text: 'all asked' }), WAIT_LIMITS)
  await recorded(id)
  await terminate(id)
  const query = `query ($id: ID!) { exportLog(sessionId: $id, format: HAR) { url } }`
  const { exportLog } = await tabwire().query<{ exportLog: { url: string } }>(query, { id })
  return (await fetch(exportLog.url)).text()
}

const at = (path: string) => requests.filter(({ url }) => url === `${site().url}${path}`)
/** The cells of the row of a request. */
const row = (name: string) => rows.find(([first]) => first === name)
/** The page asks from these of its calls; zero-based. */
const call = (name: string, line: number) => `${name} ${pageUrl()}:${line}:`
const pageUrl = () => requests.find(({ type }) => type === 'document')!.url

test('every entry is imported, with status, type, protocol and priority', () => {
  const seen = requests.map(({ method, url, status, type }) => {
    return `${method} ${new URL(url).pathname}${new URL(url).search.slice(0, 3)} ${status} ${type}`
  })
  const expected = [
    'GET /?ws 200 document',
    'GET /pixel.gif 200 image',
    'POST /orders?pa 502 fetch',
    'GET /moved 302 fetch',
    'GET /kept?mo 200 fetch',
    'GET /kept 200 fetch',
    'GET /kept 200 fetch',
    'OPTIONS /closed 204 preflight',
    'GET /closed 200 fetch',
    'GET / -1 fetch',
    'GET /events 200 eventsource',
    'GET /echo 101 websocket',
  ]
  expect(seen.toSorted()).toEqual(expected.toSorted())
  expect(requests.find(({ type }) => type === 'document')).toMatchObject({
    statusText: 'OK',
    mimeType: 'text/html',
    protocol: 'http/1.1',
    priority: 'VeryHigh',
  })
  expect(rows).toHaveLength(requests.length)
})

test('bodies that were sent and received, as text and as bytes', () => {
  expect(at('/orders?page=1&q=a%20b')).toMatchObject([
    { form: '{"item":"lamp"}', body: { isText: true, text: '{"error":"out of lamps"}' }, statusText: 'Bad Luck' },
  ])
  expect(at('/pixel.gif')).toMatchObject([{ form: null, body: { isText: false, text: PIXEL.toString('base64') } }])
  expect(at('/kept').map(({ body }) => body.text)).toEqual(['Zoë', 'Zoë'])
})

test('headers and cookies', () => {
  const [order] = at('/orders?page=1&q=a%20b')
  expect(order!.requestHeaders).toContainEqual({ name: 'content-type', value: 'application/json' })
  expect(order!.responseHeaders.filter(({ name }) => name === 'set-cookie')).toHaveLength(2)
  expect(order).toMatchObject({ requestCookies: [], responseCookies: ['a=1', 'b=2'] })
  expect(at('/moved')).toMatchObject([{ requestCookies: ['a=1', 'b=2'] }])
})

test('who asked, with the calls of a script', () => {
  expect(at('/pixel.gif')).toMatchObject([{ initiator: { type: 'parser', url: pageUrl(), line: 0 } }])
  const [order] = at('/orders?page=1&q=a%20b')
  expect(order!.initiator).toMatchObject({ type: 'script', url: pageUrl(), line: 2, column: 9 })
  expect(order!.initiator.calls).toEqual([
    expect.stringContaining(call('post', 2)),
    expect.stringContaining(call('begin', 6)),
  ])
  expect(row('orders?page=1&q=a%20b')).toContainEqual(expect.stringMatching(/:3$/))
})

test('addresses, sizes, and what a cache responded', () => {
  const { host } = new URL(site().url)
  const [first, second] = at('/kept')
  expect(first).toMatchObject({ remoteAddress: host, resourceSize: 4, isFromDisk: false })
  // Chunks have a size before them.
  expect(first!.transferSize).toBeGreaterThan(4)
  expect(second).toMatchObject({ transferSize: 0, resourceSize: 4, isFromDisk: true })
  expect(rows.filter(([name]) => name === 'kept').map((cells) => cells.includes('(disk cache)'))).toEqual([false, true])
})

test('a failure is shown by its reason', () => {
  const [failed] = requests.filter(({ url }) => url === UNREACHABLE)
  expect(failed).toMatchObject({ status: -1, statusText: 'net::ERR_UNSAFE_PORT' })
})

test('messages of a WebSocket and of an event stream', () => {
  const [socket] = requests.filter(({ type }) => type === 'websocket')
  expect(socket!.frames).toEqual([
    { type: 'send', opCode: 1, text: 'hello' },
    { type: 'send', opCode: 2, text: 'AP8=' },
    { type: 'receive', opCode: 1, text: 'hello' },
    { type: 'receive', opCode: 2, text: 'AP8=' },
  ])
  expect(at('/events')[0]!.events).toEqual([
    { eventName: 'message', eventId: '7', data: 'one' },
    { eventName: 'named', eventId: '7', data: 'two\nlines' },
  ])
})

const sumOf = ({ blocked = 0, dns = 0, connect = 0, wait, receive }: Timings) =>
  [blocked, dns, connect, wait, receive].reduce((sum, phase) => sum + Math.max(0, phase), 0)

test('times, whole and of each phase', () => {
  const byUrl = new Map(har.log.entries.map((entry) => [`${entry.startedDateTime} ${entry.request.url}`, entry]))
  expect(byUrl.size).toBe(requests.length)
  for (const { url, startedDateTime, phases, duration } of requests) {
    const { timings, time } = byUrl.get(`${startedDateTime} ${url}`)!
    const { dns = -1, connect = -1, ssl = -1, wait } = timings
    expect(phases).toEqual({ dns, connect, ssl, wait })
    expect(duration).toBeCloseTo(Math.max(time, sumOf(timings)), 0)
  }
})
