import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { MemoryBudget } from '../../src/domain/kernel/memory-budget.ts'
import { cdpSubject } from '../../src/domain/links/signed-links.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import type { CdpClient } from '../../src/ports/browser/cdp-client.ts'
import { SESSION_ID, SESSION_UUID, startFakeServer, type FakeServer } from './fake-server.ts'

const KIB = 1024
const MIB = 1024 * KIB
const WAIT = { timeout: 30_000 }

let server: FakeServer
afterEach(() => server.close())

/** A session whose clients say nothing to a browser: each of their messages is handled when the test says so. */
async function start(clientMemoryBytes?: number) {
  const received: (readonly Uint8Array[])[] = []
  const clients: CdpClient[] = []
  const handling: (() => void)[] = []
  const state = { isSlow: false }
  const session = {
    owner: 'me',
    attachClient: async (_: string, client: CdpClient) => {
      clients.push(client)
      return {
        receive: (message: readonly Uint8Array[]) => {
          received.push(message)
          return state.isSlow ? new Promise<void>((resolve) => handling.push(resolve)) : undefined
        },
        leave: async () => {},
      }
    },
  } as unknown as SessionHandle
  server = await startFakeServer({
    sessions: { findRunning: async () => session },
    ...(clientMemoryBytes !== undefined && { clientMemory: new MemoryBudget(clientMemoryBytes) }),
  })
  const terms = server.links.terms({ apiKeyId: 'token:test', expiresAt: null }, 600)
  const query = new URLSearchParams({ ...server.links.sign('cdp', cdpSubject(SESSION_UUID), terms) })
  const path = `/cdp/${SESSION_ID}?${query.toString()}`
  const texts = () => received.map((message) => Buffer.concat(message).toString())
  return { path, received, clients, handling, state, texts }
}

function open(path: string) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, { perMessageDeflate: false })
  onTestFinished(() => socket.terminate())
  socket.on('error', () => {})
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })),
  )
  return { socket, closed, opened: new Promise((resolve) => socket.once('open', resolve)) }
}

/** A connection on which the test writes frames byte by byte. */
async function openRaw(path: string): Promise<{ socket: Socket; code: Promise<number> }> {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  const key = randomBytes(16).toString('base64')
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  )
  const { promise: opened, resolve: nowOpen } = Promise.withResolvers<void>()
  const { promise: code, resolve: close } = Promise.withResolvers<number>()
  socket.on('error', () => {})
  socket.on('data', (data) => {
    if (data.includes('101 Switching')) nowOpen()
    // A close frame of the server with its code.
    const at = data.indexOf(0x88)
    if (at >= 0 && !data.includes('HTTP/1.1')) close(data.readUInt16BE(at + 2))
  })
  await opened
  return { socket, code }
}

function frame(first: number, payload: Buffer, mask = randomBytes(4)): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = first
  head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  else if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index % 4]!)])
}

const [TEXT, END_OF_TEXT, CONTINUED, LAST, PING] = [0x01, 0x81, 0x00, 0x80, 0x89]

describe('a message of a client arrives whole', { timeout: 60_000 }, () => {
  test.each([0, 1, 125, 126, 65_535, 65_536, 65_537, 200_001, 5 * MIB + 3])('of %i bytes', async (bytes) => {
    const { path, texts } = await start()
    const { socket, opened } = open(path)
    await opened
    const text = Array.from({ length: Math.ceil(bytes / 7) }, (_, index) => String(index).padStart(7, '0'))
      .join('')
      .slice(0, bytes)
    socket.send(text)
    socket.send('after it')
    await expect.poll(() => texts().length, WAIT).toBe(2)
    expect(texts()[0] === text).toBe(true)
    expect(texts()[1]).toBe('after it')
  })

  test('in parts that are never copied together', async () => {
    const { path, received } = await start()
    const { socket, opened } = open(path)
    await opened
    socket.send('x'.repeat(5 * MIB))
    await expect.poll(() => received.length, WAIT).toBe(1)
    for (const part of received[0]!) expect(part.byteLength).toBeLessThanOrEqual(64 * KIB)
  })

  test.each([1, 2, 3, 7, 1_000, 100_000])('in frames of its own that arrive %i bytes at a time', async (step) => {
    const { path, texts } = await start()
    const { socket } = await openRaw(path)
    const text = 'é€😀x'.repeat(step < 10 ? 200 : 20_000)
    const payload = Buffer.from(text)
    const [a, b] = [Math.floor(payload.length / 3), Math.floor(payload.length / 2) + 1]
    const bytes = Buffer.concat([
      frame(TEXT, payload.subarray(0, a)),
      frame(PING, Buffer.from('between')),
      frame(CONTINUED, payload.subarray(a, b)),
      frame(LAST, payload.subarray(b)),
      frame(END_OF_TEXT, Buffer.from('next')),
    ])
    for (let at = 0; at < bytes.length; at += step) {
      if (!socket.write(bytes.subarray(at, at + step))) await new Promise((resolve) => socket.once('drain', resolve))
      if (step < 10) await new Promise(setImmediate)
    }
    await expect.poll(() => texts().length, WAIT).toBe(2)
    expect(texts()[0] === text).toBe(true)
    expect(texts()[1]).toBe('next')
  })
})

describe('a client that breaks the protocol is disconnected', { timeout: 60_000 }, () => {
  const euro = Buffer.from('€')

  test.each([
    ['binary messages', frame(0x82, Buffer.from('x')), 1003],
    ['text that is no UTF-8', frame(END_OF_TEXT, Buffer.from([0xff])), 1007],
    ['a character that breaks off', frame(END_OF_TEXT, euro.subarray(0, 2)), 1007],
    [
      'a character that another follows in the next frame',
      Buffer.concat([frame(TEXT, euro.subarray(0, 2)), frame(LAST, Buffer.from('xx'))]),
      1007,
    ],
    ['a reserved bit', frame(0xc1, Buffer.from('x')), 1002],
    ['an opcode that there is not', frame(0x83, Buffer.from('x')), 1002],
    ['a continuation of nothing', frame(LAST, Buffer.from('x')), 1002],
    ['a ping that is too large', frame(PING, Buffer.alloc(126)), 1002],
    ['no mask', Buffer.from([END_OF_TEXT, 1, 0x78]), 1002],
    ['a frame that says to be too large', frame(END_OF_TEXT, Buffer.alloc(0)).fill(0x7f, 1, 2), 1009],
  ])('%s', async (_, bytes, code) => {
    const { path, received } = await start()
    const raw = await openRaw(path)
    // Of the last, only the length is sent: 64 bits, and then the mask.
    raw.socket.write(code === 1009 ? Buffer.concat([Buffer.from([0x81, 0xff]), Buffer.alloc(12, 1)]) : bytes)
    expect(await raw.code).toBe(code)
    expect(received).toEqual([])
  })

  test('characters divided between frames are none of that', async () => {
    const { path, texts } = await start()
    const { socket } = await openRaw(path)
    const bytes = Buffer.from('é€😀')
    const frames = [...bytes].map((byte, index) =>
      frame(index === 0 ? TEXT : index === bytes.length - 1 ? LAST : CONTINUED, Buffer.from([byte])),
    )
    socket.write(Buffer.concat(frames))
    await expect.poll(texts, WAIT).toEqual(['é€😀'])
  })
})

describe('clients that hold too much memory together', { timeout: 60_000 }, () => {
  const TOO_MUCH = {
    code: 4009,
    reason: 'all clients together hold too much memory, this connection the most',
  }

  test('with commands that have not arrived whole: the largest is closed, others are not', async () => {
    const { path, texts } = await start(4 * MIB)
    const small = open(path)
    await small.opened
    const first = await openRaw(path)
    const second = await openRaw(path)
    const whole = frame(END_OF_TEXT, Buffer.alloc(3 * MIB, 'x'))
    first.socket.write(whole.subarray(0, 2 * MIB))
    second.socket.write(frame(END_OF_TEXT, Buffer.alloc(4 * MIB, 'x')).subarray(0, 3 * MIB))
    expect(await Promise.race([first.code.then(() => 'first'), second.code.then((code) => code)])).toBe(TOO_MUCH.code)
    small.socket.send('still here')
    await expect.poll(texts, WAIT).toEqual(['still here'])
    first.socket.write(whole.subarray(2 * MIB))
    await expect.poll(() => texts().length, WAIT).toBe(2)
  })

  test('with commands that are not handed on', async () => {
    const { path, state, received, handling, texts } = await start(4 * MIB)
    state.isSlow = true
    const [first, second] = [open(path), open(path)]
    await Promise.all([first.opened, second.opened])
    first.socket.send('x'.repeat(2 * MIB))
    await expect.poll(() => received.length, WAIT).toBe(1)
    second.socket.send('x'.repeat(3 * MIB))
    expect(await second.closed).toEqual(TOO_MUCH)
    // What was handed on counts no more.
    handling.forEach((handled) => handled())
    state.isSlow = false
    first.socket.send('x'.repeat(3 * MIB))
    await expect.poll(() => texts().some((text) => text.length === 3 * MIB), WAIT).toBe(true)
    expect(first.socket.readyState).toBe(WebSocket.OPEN)
  })

  test('with what they do not read', async () => {
    const { path, clients } = await start(16 * MIB)
    const [reader, stalled] = [open(path), open(path)]
    await Promise.all([reader.opened, stalled.opened])
    await expect.poll(() => clients.length, WAIT).toBe(2)
    stalled.socket.pause()
    const piece = Buffer.alloc(MIB, 'x')
    // Which of the clients is which is not said: both are given everything, and one reads it.
    let got = 0
    reader.socket.on('message', (data) => (got += (data as Buffer).length))
    let sent = 0
    while (clients.some(({ unsentBytes }) => unsentBytes > 0) || sent < 64 * MIB) {
      for (const client of clients) client.send([piece])
      sent += MIB
      await expect.poll(() => got >= sent || stalled.socket.readyState !== WebSocket.OPEN, WAIT).toBe(true)
      if (sent >= 64 * MIB) break
    }
    stalled.socket.resume()
    expect(await stalled.closed).toMatchObject({
      code: expect.toSatisfy((code) => [1006, 4009].includes(code as number)) as number,
    })
    expect(reader.socket.readyState).toBe(WebSocket.OPEN)
  })
})
