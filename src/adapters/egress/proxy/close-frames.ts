import type { Duplex } from 'node:stream'
import type { WebSocketEnd } from '../../../ports/egress/egress.ts'

/** Chromium's limit for response headers, and far more than a handshake has. */
const MAX_HEAD_BYTES = 256 * 1024
const HEAD_END = '\r\n\r\n'
const CLOSE = 8
/** For a close frame without a code, as in CloseEvent. */
const NO_CODE = 1005
/** For a connection that ended without a close frame. */
const ABNORMAL = 1006

interface CloseFrame {
  code: number
  reason: string
}

/**
 * Watches a tunnel in case it becomes an unencrypted WebSocket, and reports how that ends: CDP does not report close
 * frames. None of the traffic is stored.
 */
export function watchWebSocket(client: Duplex, target: Duplex, report: (end: WebSocketEnd) => void): void {
  client.once('data', (first: Buffer) => {
    if (first.toString('latin1', 0, 4) === 'GET ') new WatchedSocket(client, target, report).sent(first)
  })
}

class WatchedSocket {
  readonly #client: Duplex
  readonly #target: Duplex
  readonly #report: (end: WebSocketEnd) => void
  readonly #request = new Side()
  readonly #response = new Side()
  readonly #onSent = (piece: Buffer) => this.sent(piece)
  readonly #onReceived = (piece: Buffer) => this.#received(piece)
  readonly #onEnd = () => this.#ended()
  readonly #onLeave = () => this.#stop()
  #key: string | null = null

  constructor(client: Duplex, target: Duplex, report: (end: WebSocketEnd) => void) {
    this.#client = client
    this.#target = target
    this.#report = report
    client.on('data', this.#onSent)
    client.once('end', this.#onLeave)
    client.once('close', this.#onLeave)
    target.on('data', this.#onReceived)
    target.once('end', this.#onEnd)
    target.once('close', this.#onEnd)
  }

  sent(piece: Buffer): void {
    const close = this.#request.read(piece)
    if (this.#request.isTooLong) return this.#stop()
    if (this.#request.head === null) return
    this.#key ??= keyIn(this.#request.head)
    if (this.#key === null) return this.#stop()
    if (close) this.#closed('PAGE', close)
  }

  #received(piece: Buffer): void {
    const close = this.#response.read(piece)
    const { head, isTooLong } = this.#response
    if (isTooLong || (head !== null && !/^HTTP\/1\.\d 101 /.test(head))) return this.#stop()
    if (close) this.#closed('SERVER', close)
  }

  #ended(): void {
    if (this.#response.head === null) this.#stop()
    else this.#closed(null, { code: ABNORMAL, reason: '' })
  }

  /** The first close frame counts: the second is its acknowledgment. */
  #closed(closedBy: WebSocketEnd['closedBy'], { code, reason }: CloseFrame): void {
    this.#stop()
    if (this.#key !== null) this.#report({ key: this.#key, closedBy, code, reason })
  }

  #stop(): void {
    this.#client.off('data', this.#onSent)
    this.#client.off('end', this.#onLeave)
    this.#client.off('close', this.#onLeave)
    this.#target.off('data', this.#onReceived)
    this.#target.off('end', this.#onEnd)
    this.#target.off('close', this.#onEnd)
  }
}

function keyIn(head: string): string | null {
  return /\r\nupgrade: *websocket *\r\n/i.test(head)
    ? (/\r\nsec-websocket-key: *([\w+/=]{1,64}) *\r\n/i.exec(head)?.[1] ?? null)
    : null
}

/** The data of one side: HTTP headers, then frames. */
class Side {
  #before: Buffer = Buffer.alloc(0)
  #head: string | null = null
  readonly #frames = new FrameReader()

  /** Null: incomplete. Includes the empty line at the end. */
  get head(): string | null {
    return this.#head
  }

  get isTooLong(): boolean {
    return this.#before.length > MAX_HEAD_BYTES
  }

  read(piece: Buffer): CloseFrame | null {
    if (this.#head !== null) return this.#frames.read(piece)
    this.#before = Buffer.concat([this.#before, piece])
    const end = this.#before.indexOf(HEAD_END)
    if (end < 0) return null
    const rest = this.#before.subarray(end + HEAD_END.length)
    this.#head = this.#before.toString('latin1', 0, end + HEAD_END.length)
    this.#before = Buffer.alloc(0)
    return rest.length > 0 ? this.#frames.read(rest) : null
  }
}

/** Finds the close frame among frames (RFC 6455, section 5.2). Payloads are skipped. */
class FrameReader {
  /** Of an incomplete header or close frame. */
  #kept: Buffer = Buffer.alloc(0)
  /** Remaining bytes of a payload. */
  #toSkip = 0

  read(piece: Buffer): CloseFrame | null {
    let rest = this.#kept.length > 0 ? Buffer.concat([this.#kept, piece]) : piece
    this.#kept = Buffer.alloc(0)
    for (;;) {
      const skipped = Math.min(this.#toSkip, rest.length)
      this.#toSkip -= skipped
      rest = rest.subarray(skipped)
      if (rest.length === 0) return null
      const header = headerIn(rest)
      const isComplete = header && (header.opcode !== CLOSE || rest.length >= header.size + header.length)
      if (!isComplete) {
        // A copy: a slice would keep the whole chunk in memory.
        this.#kept = Buffer.from(rest)
        return null
      }
      const { opcode, size, length, mask } = header
      if (opcode === CLOSE) return closeIn(rest.subarray(size, size + length), mask)
      this.#toSkip = length
      rest = rest.subarray(size)
    }
  }
}

interface FrameHeader {
  opcode: number
  /** Length of the header. */
  size: number
  /** Length of the payload. */
  length: number
  mask: Buffer | null
}

/** Null: incomplete. */
function headerIn(bytes: Buffer): FrameHeader | null {
  if (bytes.length < 2) return null
  const isMasked = (bytes[1]! & 0x80) !== 0
  const short = bytes[1]! & 0x7f
  const lengthSize = short === 127 ? 8 : short === 126 ? 2 : 0
  const maskAt = 2 + lengthSize
  const size = maskAt + (isMasked ? 4 : 0)
  if (bytes.length < size) return null
  const opcode = bytes[0]! & 0x0f
  const reported =
    lengthSize === 8 ? Number(bytes.readBigUInt64BE(2)) : lengthSize === 2 ? bytes.readUInt16BE(2) : short
  // A close frame has 125 bytes at most: the browser fails a connection with a longer one.
  const length = opcode === CLOSE ? Math.min(reported, 125) : reported
  return { opcode, size, length, mask: isMasked ? Buffer.from(bytes.subarray(maskAt, size)) : null }
}

function closeIn(payload: Buffer, mask: Buffer | null): CloseFrame {
  const bytes = mask ? Buffer.from(payload.map((byte, index) => byte ^ mask[index % 4]!)) : payload
  if (bytes.length < 2) return { code: NO_CODE, reason: '' }
  return { code: bytes.readUInt16BE(0), reason: bytes.toString('utf8', 2) }
}
