import type { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { ownedAs, type FaultOwner } from '../../fault-owner.ts'

/**
 * Gives each socket of the server an owner: a fault while serving a request, a WebSocket or a stream over it ends that
 * connection only. Node's parser runs for the owner that it was created under; all other events of a socket are
 * re-emitted for the owner, since the socket's handle belongs to the server.
 */
export function ownSockets(server: Server, ownerOf: (socket: Socket) => FaultOwner, logger: Logger): void {
  const emitter: Pick<EventEmitter, 'emit'> = server
  const emit = emitter.emit.bind(server)
  emitter.emit = (name, ...args: unknown[]) => {
    if (name !== 'connection') return emit(name, ...args)
    const socket = args[0] as Socket
    const owner = new SocketFaults(ownerOf(socket), logger)
    emitAs(owner, socket)
    ownedAs(owner, () => {
      emit(name, socket)
      parseApart(socket)
    })()
    return true
  }
}

class SocketFaults implements FaultOwner {
  readonly #connection: FaultOwner
  readonly #logger: Logger

  constructor(connection: FaultOwner, logger: Logger) {
    this.#connection = connection
    this.#logger = logger
  }

  fail(error: unknown): void {
    this.#logger.error({ err: error }, 'a fault while a connection was served: the connection ends')
    this.#connection.fail(error)
  }
}

function emitAs(owner: FaultOwner, socket: Pick<EventEmitter, 'emit'>): void {
  const emit = socket.emit.bind(socket)
  socket.emit = (name, ...args: unknown[]) => {
    let isHandled = false
    ownedAs(owner, () => {
      isHandled = emit(name, ...args)
    })()
    return isHandled
  }
}

/**
 * Keeps other owners' faults out of a socket that the HTTP server has just accepted. Node's parser reads sockets
 * without JavaScript in between and runs pending ticks, of any origin, in the middle of a request: if one throws, the
 * parser abandons that request, which stays incomplete, and refuses the next. A 'data' listener, even a short-lived
 * one, makes Node pass the bytes to the parser in a callback of this socket, after which the ticks run.
 */
function parseApart(socket: Socket): void {
  const listener = () => {}
  socket.on('data', listener).off('data', listener)
}
