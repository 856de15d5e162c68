import { setMaxListeners } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecutionArgs } from 'graphql'
import { CloseCode, handleProtocols, makeServer, type Server } from 'graphql-ws'
import type { Logger } from 'pino'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'
import type { Callers } from '../domain/callers.ts'
import { asTold, DatabaseUnavailable } from '../domain/database-unavailable.ts'
import { TabwireError } from '../domain/errors.ts'
import { Unauthenticated, type Principal } from '../domain/principal.ts'
import { secretOfPayload } from './authentication.ts'
import { maskError, refusal } from './graphql-errors.ts'
import type { GraphqlOperations, Operation } from './graphql.ts'

export interface WebSocketLimits {
  /** For connection_init to come. */
  initMs: number
  /** For an operation with a valid key to come, on a socket that gave none itself. */
  anonymousMs: number
  pingMs: number
  /** For the other side to answer our closing. */
  closeMs: number
  messageBytes: number
  operationsPerSocket: number
  sockets: number
  /** What the other side may leave unread before it is cut off. */
  unreadBytes: number
}

export const WEB_SOCKET_LIMITS: WebSocketLimits = {
  initMs: 3_000,
  anonymousMs: 30_000,
  pingMs: 12_000,
  closeMs: 1_000,
  messageBytes: 1_000_000,
  operationsPerSocket: 100,
  sockets: 2_000,
  unreadBytes: 64 * 1024 * 1024,
}

const TRY_AGAIN_LATER = 1013

class TooManyOperations extends TabwireError {
  override readonly code = 'RATE_LIMITED'

  constructor(limit: number) {
    super(`A socket may have ${limit} operations at once: complete some, or open another socket.`)
  }
}

/** What onSubscribe hands to execute and subscribe, through graphql-ws. */
interface SocketOperation {
  operation: Operation
  principal: Principal
  left: AbortSignal
}

/**
 * GraphQL over WebSocket (graphql-transport-ws): graphql-ws speaks the protocol, this joins it to sockets, keys and
 * operations. Nothing is queued for a reader that stops reading: graphql-ws awaits each send, so its followers stop.
 */
export class GraphqlWebSockets {
  readonly #webSockets: WebSocketServer
  readonly #limits: WebSocketLimits
  readonly #callers: Callers
  readonly #logger: Logger
  readonly #protocol: Server<SocketConnection>
  readonly #connections = new Set<SocketConnection>()

  constructor(operations: GraphqlOperations, callers: Callers, logger: Logger, limits: WebSocketLimits) {
    this.#limits = limits
    this.#callers = callers
    this.#logger = logger
    this.#webSockets = new WebSocketServer({
      noServer: true,
      // Compression would keep a window for each socket and slow down what is mostly small and near.
      perMessageDeflate: false,
      maxPayload: limits.messageBytes,
      handleProtocols,
    })
    const run = ({ contextValue }: ExecutionArgs) => {
      const { operation, principal, left } = contextValue as SocketOperation
      return operations.execute(operation, principal, left)
    }
    this.#protocol = makeServer<Record<string, unknown> | undefined, SocketConnection>({
      connectionInitWaitTimeout: limits.initMs,
      onConnect: async ({ connectionParams, extra }) => {
        const secret = secretOfPayload(connectionParams)
        // Without a key the socket is acknowledged all the same: each operation may bring one.
        return secret === null || (await extra.authenticate(secret, 'connection')) !== null
      },
      onSubscribe: async ({ subscriptions, extra }, _, payload) => {
        if (Object.keys(subscriptions).length > limits.operationsPerSocket) {
          return [refusal(new TooManyOperations(limits.operationsPerSocket))]
        }
        const secret = secretOfPayload(payload.extensions)
        let principal: Principal | null
        try {
          principal = secret === null ? extra.principal : await extra.authenticate(secret, 'operation')
        } catch (error) {
          return [maskError(error, logger)]
        }
        // A socket that closes still takes messages until the other side has agreed: its key may be the reason.
        if (!principal || extra.left.aborted) return [refusal(new Unauthenticated())]
        const operation = operations.prepare(payload)
        if (!('type' in operation)) return operation
        const contextValue: SocketOperation = { operation, principal, left: extra.left }
        return { ...operation.args, contextValue }
      },
      execute: run,
      subscribe: run,
    })
  }

  /** Takes over the connection of an HTTP upgrade to the path of the API. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    if (this.#connections.size >= this.#limits.sockets) {
      refuseUpgrade(stream, '503 Service Unavailable', 'Retry-After: 10\r\n')
      return
    }
    this.#webSockets.handleUpgrade(request, stream, head, (socket) => {
      const connection = new SocketConnection(socket, this.#callers, this.#limits, this.#logger)
      this.#connections.add(connection)
      connection.serve(this.#protocol)
      socket.once('close', () => this.#connections.delete(connection))
    })
  }

  /** Tells each client that the server goes away, and waits until they are gone or have been cut off. */
  async close(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.close(1001, 'Going away')))
    this.#webSockets.close()
  }
}

/** One socket, whose key, timers and followers it frees when it closes, whoever closes it. */
class SocketConnection {
  /** Who the key of connection_init belongs to; null when it brought none. */
  principal: Principal | null = null
  readonly #socket: WebSocket
  readonly #callers: Callers
  readonly #limits: WebSocketLimits
  readonly #logger: Logger
  readonly #leaving = new AbortController()
  /** Keys that are used here, and how to stop watching them. */
  readonly #watchedKeys = new Map<string, () => void>()
  readonly #anonymous: NodeJS.Timeout
  #heartbeat: NodeJS.Timeout
  #isAlive = true

  constructor(socket: WebSocket, callers: Callers, limits: WebSocketLimits, logger: Logger) {
    this.#socket = socket
    this.#callers = callers
    this.#limits = limits
    this.#logger = logger
    this.#anonymous = setTimeout(() => void this.close(CloseCode.Unauthorized, 'Unauthorized'), limits.anonymousMs)
    this.#heartbeat = setInterval(() => this.#beat(), limits.pingMs)
    // Every operation of the socket may listen for its end.
    setMaxListeners(0, this.left)
  }

  /** Fires when the socket closes or is about to. */
  get left(): AbortSignal {
    return this.#leaving.signal
  }

  serve(protocol: Server<SocketConnection>): void {
    const socket = this.#socket
    socket.on('pong', () => (this.#isAlive = true))
    // ws closes the socket itself after an error: a frame that is malformed or too big, a connection that broke.
    socket.on('error', (error) => this.#logger.debug({ err: error }, 'a WebSocket failed'))
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => this.#send(data),
        close: (code, reason) => void this.close(code ?? 1000, reason ?? ''),
        onMessage: (listener) => {
          socket.on('message', (data) => {
            listener(textOf(data)).catch((error: unknown) => {
              const told = asTold(error)
              // Whose key it is could not be found out: clients come back by themselves after this code.
              if (told instanceof DatabaseUnavailable) return void this.close(TRY_AGAIN_LATER, told.code)
              this.#logger.error({ err: error }, 'a message over WebSocket could not be served')
              void this.close(CloseCode.InternalServerError, 'Internal server error')
            })
          })
        },
      },
      this,
    )
    socket.once('close', (code, reason) => {
      this.#free()
      closed(code, String(reason)).catch((error: unknown) => {
        this.#logger.error({ err: error }, 'the operations of a WebSocket could not be ended')
      })
    })
  }

  /** The caller of this key, or null; when the key ceases to be valid, the socket closes. */
  async authenticate(secret: string, of: 'connection' | 'operation'): Promise<Principal | null> {
    const principal = await this.#callers.authenticate(secret)
    if (!principal || this.left.aborted) return null
    if (of === 'connection') this.principal = principal
    clearTimeout(this.#anonymous)
    if (!this.#watchedKeys.has(principal.apiKeyId)) {
      const forbid = () => void this.close(CloseCode.Forbidden, 'The API key is no longer valid')
      this.#watchedKeys.set(principal.apiKeyId, this.#callers.onInvalid(principal, forbid))
    }
    return principal
  }

  /** Ends the followers at once, the socket as soon as the other side agrees or its time is up. */
  async close(code: number, reason: string): Promise<void> {
    this.#free()
    if (this.#socket.readyState === this.#socket.CLOSED) return
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    this.#socket.once('close', resolve)
    this.#socket.close(code, reason)
    const cutOff = setTimeout(() => this.#socket.terminate(), this.#limits.closeMs)
    await closed
    clearTimeout(cutOff)
  }

  #send(data: string): Promise<void> {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return Promise.resolve()
    if (socket.bufferedAmount > this.#limits.unreadBytes) {
      socket.terminate()
      return Promise.resolve()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    // A send fails only because the socket is closing, which ends the operation by itself.
    socket.send(data, () => resolve())
    return promise
  }

  #beat(): void {
    if (!this.#isAlive) return this.#socket.terminate()
    this.#isAlive = false
    this.#socket.ping()
  }

  #free(): void {
    clearTimeout(this.#anonymous)
    clearInterval(this.#heartbeat)
    for (const unwatch of this.#watchedKeys.values()) unwatch()
    this.#watchedKeys.clear()
    this.#leaving.abort()
  }
}

/** Answers and lets go: the other side may keep its half of the connection open for as long as it likes. */
export function refuseUpgrade(stream: Duplex, status: string, headers = ''): void {
  stream.once('finish', () => stream.destroy())
  stream.end(`HTTP/1.1 ${status}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** A text message, in whichever form it was received. */
export function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString()
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString()
}
