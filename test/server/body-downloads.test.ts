import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import { SESSION_UUID, startFakeServer, type FakeServer } from './fake-server.ts'

const MIB = 1024 * 1024
const WAIT = { timeout: 60_000 }
/** More than the kernel takes of a response that nobody reads. */
const BODY = Buffer.alloc(30 * MIB, 'x')

let server: FakeServer
afterEach(() => server.close())

/** A server of one body, which counts how often it was read. `finding`: what looking it up waits for. */
async function start(stalledMs = 1e8, finding: () => Promise<void> = async () => {}) {
  const reads = { begun: 0 }
  server = await startFakeServer({
    deliveryLimits: { totalBytes: 70 * MIB, stalledMs },
    linkedBodies: {
      find: async () => {
        await finding()
        const data = { contentType: 'text/plain', sizeBytes: BODY.length, truncated: 0 }
        return { owner: 'me', url: 'http://site.test/large.bin', data } as never
      },
      bytesOf: async () => {
        reads.begun += 1
        return BODY
      },
    },
  })
  const terms = server.links.terms({ apiKeyId: 'reader', expiresAt: null }, 600)
  const query = new URLSearchParams({ ...server.links.sign('body', [SESSION_UUID, '1', 'response'], terms) })
  return { reads, path: `/bodies/${encodeGlobalId('NetworkRequest', SESSION_UUID, 1)}/response?${query.toString()}` }
}

/** Asks for the body, and reads none of it. */
async function ask(path: string): Promise<Socket> {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  return socket
}

test('bodies are read for as many clients as there is memory for', async () => {
  const { path, reads } = await start()
  const sockets = await Promise.all(Array.from({ length: 6 }, () => ask(path)))
  await expect.poll(() => reads.begun, WAIT).toBe(2)
  for (let round = 0; round < 5; round += 1) expect((await fetch(`${server.url}/health`)).status).toBe(200)
  expect(reads.begun).toBe(2)
  for (const socket of sockets) socket.resume()
  await expect.poll(() => reads.begun, WAIT).toBe(6)
})

test('clients that do not take theirs make room for others', async () => {
  const { path } = await start(200)
  const stalled = await Promise.all(Array.from({ length: 6 }, () => ask(path)))
  // Behind all of them.
  const response = await fetch(`${server.url}${path}`)
  expect((await response.bytes()).length).toBe(BODY.length)
  for (const socket of stalled) socket.destroy()
})

test('for a client that leaves before its turn no body is read', async () => {
  const { path, reads } = await start()
  const [first, second] = [await ask(path), await ask(path)]
  await expect.poll(() => reads.begun, WAIT).toBe(2)
  const third = await ask(path)
  const look = async () => expect((await fetch(`${server.url}/health`)).status).toBe(200)
  await look()
  third.resetAndDestroy()
  await look()
  for (const socket of [first, second]) socket.resetAndDestroy()
  const response = await fetch(`${server.url}${path}`)
  expect((await response.bytes()).length).toBe(BODY.length)
  expect(reads.begun).toBe(3)
})

test('one that is being read ends with the key that made its link', async () => {
  const { path } = await start()
  const response = await fetch(`${server.url}${path}`)
  expect(response.headers.get('content-length')).toBe(String(BODY.length))
  server.invalidate('reader')
  await expect(response.bytes()).rejects.toThrow('terminated')
})

test('a client that leaves while its body is looked up leaves nothing behind', async () => {
  const found = Promise.withResolvers<void>()
  let lookups = 0
  const { path, reads } = await start(1e8, () => {
    lookups += 1
    return found.promise
  })
  const leaving = new AbortController()
  const asked = fetch(`${server.url}${path}`, { signal: leaving.signal })
  await expect.poll(() => lookups, WAIT).toBe(1)
  leaving.abort()
  await expect(asked).rejects.toThrow()
  const look = async () => expect((await fetch(`${server.url}/health`)).status).toBe(200)
  await look()
  found.resolve()
  await look()
  // `close` fails for a link that is still watched.
  expect(reads.begun).toBe(0)
})
