import type { Socket } from 'node:net'
import { TextDecoder } from 'node:util'

/** Where a browser wants to go. */
export interface Destination {
  /** As it wrote it: a name, or an address in some notation. */
  host: string
  port: number
}

/** It does not speak SOCKS5, or wants something else of it than a connection; the server has said so and hangs up. */
export class HandshakeFailed extends Error {
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

/** The address that a connection is bound to is nobody's business. */
export function socksReply(code: number): Buffer {
  return Buffer.from([VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0])
}

/**
 * Reads what a client says first, 519 bytes at the most, and leaves the rest in the socket, paused. The socket must have a
 * listener for errors. Rejects with HandshakeFailed, also when the socket ends.
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

/** Takes bytes off the beginning of a socket. */
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
