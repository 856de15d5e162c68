import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { watchWebSocket } from '../../../src/adapters/egress/proxy/close-frames.ts'
import type { WebSocketEnd } from '../../../src/ports/egress/egress.ts'

const REQUEST = 'GET /x HTTP/1.1\r\nHost: site\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a+b/c==\r\n\r\n'
const RESPONSE = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'

function frame(opcode: number, payload: Buffer, mask: Buffer | null): Buffer {
  const { length } = payload
  const bit = mask ? 0x80 : 0
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, bit | length])
      : length < 65_536
        ? Buffer.from([0x80 | opcode, bit | 126, length >> 8, length & 0xff])
        : Buffer.concat([Buffer.from([0x80 | opcode, bit | 127, 0, 0, 0, 0]), uint32(length)])
  if (!mask) return Buffer.concat([head, payload])
  return Buffer.concat([head, mask, Buffer.from(payload.map((byte, index) => byte ^ mask[index % 4]!))])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const closing = (code: number, reason: string) =>
  Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
const MASK = Buffer.from([1, 2, 3, 4])

/** An observed tunnel, and the reports about it. */
function watched() {
  const [client, target] = [new PassThrough(), new PassThrough()]
  const ends: WebSocketEnd[] = []
  watchWebSocket(client, target, (end) => ends.push(end))
  client.resume()
  target.resume()
  return { client, target, ends }
}

/** Emitted as by a socket: written data is received immediately. */
function say(side: PassThrough, bytes: Buffer | string, pieces: readonly number[] = []): void {
  let rest = Buffer.from(bytes)
  for (const size of pieces) {
    if (size < rest.length) side.emit('data', Buffer.from(rest.subarray(0, size)))
    else break
    rest = rest.subarray(size)
  }
  side.emit('data', rest)
}

test('a close frame is found behind any frames, in whatever pieces they come', () => {
  const messages = fc.array(
    fc.record({ opcode: fc.constantFrom(0, 1, 2, 9, 10), size: fc.constantFrom(0, 1, 125, 126, 65_535, 65_536) }),
    { maxLength: 4 },
  )
  const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70_000 })), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(messages, pieces, fc.boolean(), (sent, sizes, byPage) => {
      const { client, target, ends } = watched()
      const mask = byPage ? MASK : null
      const frames = sent.map(({ opcode, size }) => frame(opcode, Buffer.alloc(size, 0x88), mask))
      const all = Buffer.concat([...frames, frame(8, closing(1011, 'größer'), mask)])
      say(
        client,
        byPage ? Buffer.concat([Buffer.from(REQUEST), all]) : REQUEST,
        byPage ? [REQUEST.length, ...sizes] : [],
      )
      say(target, byPage ? RESPONSE : Buffer.concat([Buffer.from(RESPONSE), all]), byPage ? [] : sizes)
      expect(ends).toEqual([{ key: 'a+b/c==', closedBy: byPage ? 'PAGE' : 'SERVER', code: 1011, reason: 'größer' }])
    }),
    { numRuns: 300 },
  )
})

test('the close frame that answers the first changes nothing, and one without a code has none', () => {
  const { client, target, ends } = watched()
  say(client, REQUEST)
  say(target, RESPONSE)
  say(target, frame(8, Buffer.alloc(0), null))
  say(client, frame(8, closing(4000, 'too late'), MASK))
  target.emit('end')
  expect(ends).toEqual([{ key: 'a+b/c==', closedBy: 'SERVER', code: 1005, reason: '' }])
})

test('a connection that ends without a close frame is lost', () => {
  const { client, target, ends } = watched()
  say(client, REQUEST)
  say(target, RESPONSE)
  say(target, frame(1, Buffer.from('text'), null).subarray(0, 3))
  target.emit('end')
  expect(ends).toEqual([{ key: 'a+b/c==', closedBy: null, code: 1006, reason: '' }])
})

test.each([
  ['a request that is none of a WebSocket', 'GET / HTTP/1.1\r\nHost: site\r\n\r\n', RESPONSE],
  ['anything but HTTP', '\x16\x03\x01 client hello', RESPONSE],
  ['a handshake that is refused', REQUEST, 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'],
  ['a head without end', REQUEST, 'x'.repeat(300_000)],
])('of %s nothing is told', (_, request, response) => {
  const { client, target, ends } = watched()
  say(client, request)
  say(target, response)
  say(target, frame(8, closing(1000, ''), null))
  target.emit('end')
  expect(ends).toEqual([])
  for (const side of [client, target]) expect(side.listenerCount('data')).toBe(0)
})

test('a WebSocket that the browser leaves is not lost', () => {
  const { client, target, ends } = watched()
  say(client, REQUEST)
  say(target, RESPONSE)
  client.emit('close')
  target.emit('end')
  expect(ends).toEqual([])
})
