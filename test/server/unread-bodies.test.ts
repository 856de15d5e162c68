import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { startFakeServer, type FakeOptions, type FakeServer } from './fake-server.ts'

let server: FakeServer
const sockets: Socket[] = []

const start = async (options: FakeOptions = {}) => (server = await startFakeServer(options))

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
})

const NEVER = 600_000

interface Sent {
  socket: Socket
  /** All that has been received. */
  read(): string
  /** Resolves when the server has ended the connection. */
  closed: Promise<void>
}

function send(text: string): Sent {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  sockets.push(socket)
  let received = ''
  socket.on('data', (data) => (received += String(data)))
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(text)
  return { socket, read: () => received, closed }
}

const LENGTH = 'Content-Length: 100000000\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const JSON_BODY = 'Content-Type: application/json\r\n'
const KEY = 'X-API-Key: admin\r\n'
const head = (line: string, ...headers: string[]) => `${line} HTTP/1.1\r\nHost: localhost\r\n${headers.join('')}\r\n`
const MEGABYTES = 'x'.repeat(1_100_000)

describe('a body that goes on after the response', () => {
  test.each([
    ['no key', 401, head('POST /graphql', JSON_BODY, LENGTH)],
    ['no key, no length', 401, `${head('POST /graphql', JSON_BODY, CHUNKED)}5\r\nxx`],
    ['a wrong key', 401, head('POST /graphql', JSON_BODY, LENGTH, 'X-API-Key: wrong\r\n')],
    ['no key, asked to wait', 401, head('POST /graphql', JSON_BODY, LENGTH, 'Expect: 100-continue\r\n')],
    ['an expectation that nobody meets', 417, head('POST /graphql', JSON_BODY, LENGTH, 'Expect: miracles\r\n')],
    ['a body too long', 413, `${head('POST /graphql', JSON_BODY, LENGTH, KEY)}${MEGABYTES}`],
    ['a body too long, no length', 413, `${head('POST /graphql', JSON_BODY, CHUNKED, KEY)}FFFFFF\r\n${MEGABYTES}`],
    [
      'another media type',
      415,
      head('POST /graphql', 'Content-Type: text/plain\r\n', 'Content-Length: 900000\r\n', KEY),
    ],
    ['a preflight', 204, head('OPTIONS /graphql', LENGTH)],
    ['another method', 405, head('POST /health', LENGTH)],
    ['another path', 404, head('POST /elsewhere', LENGTH)],
    ['no path', 404, head('POST //', LENGTH)],
    ['a body where none belongs', 200, head('GET /health', LENGTH)],
    ['no link to upload with', 403, head('PUT /uploads/nothing', LENGTH)],
    ['no link to download with', 403, head('GET /artifacts/nothing/nothing', LENGTH)],
    ['no link to a session', 401, head('GET /cdp/nothing/json/version', LENGTH)],
    ['no file', 404, head('POST /graphiql/assets/nothing.js', LENGTH)],
    ['a code too long', 401, `${head('POST /sign-in', JSON_BODY, LENGTH)}${'x'.repeat(5000)}`],
    ['a code as a form', 401, head('POST /sign-in', 'Content-Type: text/plain\r\n', LENGTH)],
  ])('is cut: %s', async (_, status, text) => {
    await start({ requestLimits: { discardMs: 100, requestMs: NEVER } })
    const { socket, read, closed } = send(text)
    await expect.poll(read).toContain(`HTTP/1.1 ${status} `)
    const dripping = setInterval(() => socket.writable && socket.write(' '), 10)
    await expect(closed).resolves.toBeUndefined()
    clearInterval(dripping)
  })

  test('is cut where it is long, too', async () => {
    await start({ requestLimits: { discardMs: NEVER, requestMs: NEVER, discardBytes: 100_000 } })
    const { socket, read, closed } = send(head('POST /graphql', JSON_BODY, LENGTH))
    await expect.poll(read).toContain('HTTP/1.1 401 ')
    const pouring = setInterval(() => socket.writable && socket.write('x'.repeat(10_000)), 5)
    await expect(closed).resolves.toBeUndefined()
    clearInterval(pouring)
  })

  test('that ends in time leaves the connection as good as new', async () => {
    await start({ requestLimits: { discardMs: NEVER, requestMs: NEVER } })
    const { socket, read } = send(head('POST /graphql', JSON_BODY, 'Content-Length: 5000\r\n'))
    await expect.poll(read).toContain('HTTP/1.1 401 ')
    for (let parts = 0; parts < 5; parts += 1) socket.write('x'.repeat(1000))
    socket.write(head('GET /health'))
    await expect.poll(read).toContain('HTTP/1.1 200 ')
  })

  test('is taken to its end although someone had begun to read it, so that a client that only sends is told', async () => {
    await start({ requestLimits: { discardMs: NEVER, requestMs: NEVER, keepAliveMs: NEVER } })
    for (let times = 0; times < 5; times += 1) {
      const body = JSON.stringify({ query: 'x'.repeat(3_000_000) })
      const { socket, read } = send(
        `${head('POST /graphql', JSON_BODY, KEY, `Content-Length: ${body.length}\r\n`)}${body}${head('GET /health')}`,
      )
      await expect.poll(read).toMatch(/HTTP\/1\.1 413 [^]*HTTP\/1\.1 200 /)
      socket.destroy()
    }
  })

  test('is cut behind responses that nobody reads', async () => {
    await start({ requestLimits: { discardMs: 100, requestMs: 200 } })
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    sockets.push(socket)
    socket.on('error', () => {})
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    // Pipelined: the kernel's full buffers hold back the last response.
    const assets = (await (await fetch(`${server.url}/graphiql`)).text()).match(
      /graphiql\/assets\/graphiql-[\w-]+\.js/,
    )!
    socket.write(head(`GET /${assets[0]}`).repeat(3) + head('POST /graphql', JSON_BODY, LENGTH))
    const dripping = setInterval(() => socket.writable && socket.write(' '), 10)
    await expect(closed).resolves.toBeUndefined()
    clearInterval(dripping)
  })
})
