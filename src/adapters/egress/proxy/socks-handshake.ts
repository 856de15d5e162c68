import type { Socket } from 'node:net'
import { TextDecoder } from 'node:util'

/** The destination of a SOCKS request. */
export interface Destination {
  /** A name, or an address in any notation. */
  host: string
  port: number
}

/** Not a valid SOCKS5 CONNECT request; the error reply has been sent. */
class HandshakeFailed extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'HandshakeFailed'
  }
}

/** RFC 1928. */
const VERSION = 5
const NO_AUTHENTICATION = 0
const NO_ACCEPTABLE_METHOD = 0xff
const CONNECT = 1

export const REPLY = {
  succeeded: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  connectionRefused: 5,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const

/** The bound address is not disclosed. */
export function socksReply(code: number): Buffer {
  return Buffer.from([VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0])
}

/**
 * Performs the handshake, at most 519 bytes, up to the reply. Leaves the socket paused, with any further bytes unread. The
 * socket must have an error listener. Rejects with HandshakeFailed, also if the socket ends.
 */
export async function readDestination(socket: Socket): Promise<Destination> {
  const reader = new ByteReader(socket)
  try {
    return await negotiate(socket, (length) => reader.take(length))
  } finally {
    reader.release()
  }
}

type Take = (length: number) => Promise<Buffer>

async function negotiate(socket: Socket, take: Take): Promise<Destination> {
  const [version, methodCount = 0] = await take(2)
  if (version !== VERSION) throw new HandshakeFailed('no SOCKS5 client')
  const methods = await take(methodCount)
  if (!methods.includes(NO_AUTHENTICATION)) {
    socket.write(Buffer.from([VERSION, NO_ACCEPTABLE_METHOD]))
    throw new HandshakeFailed('no method of authentication in common')
  }
  socket.write(Buffer.from([VERSION, NO_AUTHENTICATION]))
  const [again, command, , type] = await take(4)
  if (again !== VERSION) throw new HandshakeFailed('no SOCKS5 request')
  if (command !== CONNECT) {
    socket.write(socksReply(REPLY.commandNotSupported))
    throw new HandshakeFailed('no request to connect')
  }
  const host = await readHost(socket, type, take)
  return { host, port: (await take(2)).readUInt16BE() }
}

async function readHost(socket: Socket, type: number | undefined, take: Take): Promise<string> {
  if (type === 1) return (await take(4)).join('.')
  if (type === 4) {
    const bytes = await take(16)
    return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
  }
  if (type !== 3) {
    socket.write(socksReply(REPLY.addressTypeNotSupported))
    throw new HandshakeFailed('an address of no known type')
  }
  const [length = 0] = await take(1)
  const bytes = await take(length)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new HandshakeFailed('a host that is no text')
  }
}

/** Reads exact numbers of bytes from a socket. */
class ByteReader {
  readonly #socket: Socket
  #bytes = Buffer.alloc(0)
  #hasEnded = false
  #wake = () => {}
  readonly #onData = (piece: Buffer) => {
    this.#bytes = Buffer.concat([this.#bytes, piece])
    this.#wake()
  }
  readonly #onEnd = () => {
    this.#hasEnded = true
    this.#wake()
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', this.#onData)
    socket.once('end', this.#onEnd)
    socket.once('close', this.#onEnd)
  }

  async take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) {
      if (this.#hasEnded) throw new HandshakeFailed('it left')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const taken = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    return taken
  }

  release(): void {
    this.#socket.pause()
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    if (this.#bytes.length > 0 && !this.#hasEnded) this.#socket.unshift(this.#bytes)
  }
}
