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
 * Reads what a client says first, 519 bytes at the most, and leaves the rest in the socket, which must be paused and have
 * a listener for errors. Rejects with HandshakeFailed, or when the socket ends.
 */
export async function readDestination(socket: Socket): Promise<Destination> {
  const [version, methodCount = 0] = await take(socket, 2)
  if (version !== VERSION) throw new HandshakeFailed('no SOCKS5 client')
  const methods = await take(socket, methodCount)
  if (!methods.includes(NO_AUTHENTICATION)) {
    socket.write(Buffer.from([VERSION, NO_ACCEPTABLE_METHOD]))
    throw new HandshakeFailed('no method of authentication in common')
  }
  socket.write(Buffer.from([VERSION, NO_AUTHENTICATION]))
  const [again, command, , type] = await take(socket, 4)
  if (again !== VERSION) throw new HandshakeFailed('no SOCKS5 request')
  if (command !== CONNECT) {
    socket.write(socksReply(REPLY.commandNotSupported))
    throw new HandshakeFailed('no request to connect')
  }
  const host = await readHost(socket, type)
  return { host, port: (await take(socket, 2)).readUInt16BE() }
}

async function readHost(socket: Socket, type: number | undefined): Promise<string> {
  if (type === 1) return (await take(socket, 4)).join('.')
  if (type === 4) {
    const bytes = await take(socket, 16)
    return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
  }
  if (type !== 3) {
    socket.write(socksReply(REPLY.addressTypeNotSupported))
    throw new HandshakeFailed('an address of no known type')
  }
  const [length = 0] = await take(socket, 1)
  const bytes = await take(socket, length)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new HandshakeFailed('a host that is no text')
  }
}

async function take(socket: Socket, length: number): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0)
  for (;;) {
    const bytes = socket.read(length) as Buffer | null
    if (bytes?.length === length) return bytes
    if (bytes || socket.readableEnded || socket.destroyed) throw new HandshakeFailed('it left')
    await readable(socket)
  }
}

function readable(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const events = ['readable', 'end', 'close'] as const
  const settle = () => {
    for (const event of events) socket.off(event, settle)
    resolve()
  }
  for (const event of events) socket.on(event, settle)
  return promise
}
