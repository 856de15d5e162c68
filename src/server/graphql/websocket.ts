import { setMaxListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecutionArgs } from 'graphql'
import { CloseCode, handleProtocols, makeServer, type Server } from 'graphql-ws'
import type { Logger } from 'pino'
import { WebSocketServer, type WebSocket } from 'ws'
import { Deadline } from '../../async/deadline.ts'
import type { Delivery, DeliveryBudget } from '../../domain/log/reading/delivery.ts'
import type { Authenticator } from '../../domain/access/authenticator.ts'
import { asClientError } from '../../domain/kernel/database-unavailable.ts'
import { TabwireError } from '../../domain/kernel/errors.ts'
import type { MemoryBudget } from '../../domain/kernel/memory-budget.ts'
import { Unauthenticated, type Principal } from '../../domain/kernel/principal.ts'
import { secretOfPayload } from '../base/authentication.ts'
import type { Connection, Connections } from '../base/connections.ts'
import { maskError, refusal } from '../base/graphql-errors.ts'
import type { GraphqlOperations, Operation } from './graphql.ts'
import { sayAndLetGo } from '../base/request-time.ts'
import { SocketOperations } from './socket-operations.ts'
import { withEndCallback } from './with-end-callback.ts'
import { closeReason, idOfComplete, textOf } from './websocket-text.ts'

export interface WebSocketLimits {
  /** Until connection_init must arrive. */
  initMs: number
  /** Until an operation with a valid key must arrive, on a socket without one. */
  anonymousMs: number
  pingMs: number
  /** For the other side to acknowledge our close frame. */
  closeMs: number
  messageBytes: number
  /** What a socket may send in total before its first valid key. */
  anonymousBytes: number
  operationsPerSocket: number
  /** Unread bytes after which a client is disconnected. */
  unreadBytes: number
}

export const WEB_SOCKET_LIMITS: WebSocketLimits = {
  initMs: 3_000,
  anonymousMs: 30_000,
  pingMs: 12_000,
  closeMs: 1_000,
  messageBytes: 1_000_000,
  anonymousBytes: 256 * 1024,
  operationsPerSocket: 100,
  unreadBytes: 64 * 1024 * 1024,
}

/** "Try again later", from the registry of close codes: clients reconnect with back-off. */
const TRY_AGAIN_LATER = 1013

class TooManyOperations extends TabwireError {
  override readonly code = 'TOO_MANY_OPERATIONS'

  constructor(limit: number) {
    super(`A socket may have ${limit} operations at once: complete some, or open another socket.`)
  }
}

/** Passed from onSubscribe to execute and subscribe, through graphql-ws. */
interface SocketOperation {
  operation: Operation
  principal: Principal
  /** Aborted when the socket closes, or the client cancels the operation. */
  left: AbortSignal
  space: Delivery
  /** To be called after the last result: the result and the completion message may still be unsent. */
  ending: () => void
}

/**
 * GraphQL over WebSocket (graphql-transport-ws): graphql-ws implements the protocol, this class connects it to sockets,
 * keys and operations. Nothing is queued for a slow reader: graphql-ws awaits each send, so its followers pause. It
 * does not use the ws adapter of graphql-ws: sockets are counted and their bytes limited before there is a key, and a
 * socket closes when its key ends.
 */
export class GraphqlWebSockets {
  readonly #webSockets: WebSocketServer
  readonly #limits: WebSocketLimits
  readonly #callers: Authenticator
  readonly #deliveries: DeliveryBudget
  readonly #memory: MemoryBudget
  readonly #logger: Logger
  readonly #protocol: Server<SocketConnection>
  readonly #connections: Connections
  readonly #open = new Set<SocketConnection>()

  constructor(
    operations: GraphqlOperations,
    callers: Authenticator,
    deliveries: DeliveryBudget,
    memory: MemoryBudget,
    connections: Connections,
    logger: Logger,
    limits: WebSocketLimits,
  ) {
    this.#limits = limits
    this.#callers = callers
    this.#deliveries = deliveries
    this.#memory = memory
    this.#connections = connections
    this.#logger = logger
    this.#webSockets = new WebSocketServer({
      noServer: true,
      // Compression would need a window per socket and slow down messages that are mostly small and local.
      perMessageDeflate: false,
      maxPayload: limits.messageBytes,
      // A hundred operations that arrive together start one after the other, yielding to other work.
      allowSynchronousEvents: false,
      handleProtocols,
    })
    const run = async ({ contextValue }: ExecutionArgs) => {
      const { operation, principal, left: signal, space, ending } = contextValue as SocketOperation
      const results = await operations.execute(operation, { principal, signal, space })
      return Symbol.asyncIterator in results ? withEndCallback(results, ending) : results
    }
    this.#protocol = makeServer<Record<string, unknown> | undefined, SocketConnection>({
      connectionInitWaitTimeout: limits.initMs,
      onConnect: async ({ connectionParams, extra }) => {
        const secret = secretOfPayload(connectionParams)
        // A socket without a key is acknowledged as well: each operation may bring one.
        if (secret === null) return true
        try {
          return (await extra.authenticate(secret, 'connection')) !== null
        } catch (error) {
          const reported = asClientError(error)
          if (!(reported instanceof TabwireError) || reported.extensions['retryAfterSeconds'] === undefined) throw error
          // Clients reconnect after this code.
          void extra.close(TRY_AGAIN_LATER, `${reported.code}: ${reported.message}`)
          return false
        }
      },
      onSubscribe: async ({ subscriptions, extra }, id, payload) => {
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
        // A closing socket still receives messages until the other side acknowledges: its key may be the reason.
        if (!principal || extra.left.aborted) return [refusal(new Unauthenticated())]
        const operation = operations.prepare(payload)
        if (!('type' in operation)) return operation
        const contextValue: SocketOperation = { operation, principal, ...extra.begin(id, payload, principal) }
        return { ...operation.args, contextValue }
      },
      execute: run,
      subscribe: run,
      onComplete: ({ extra }, _, payload) => extra.end(payload),
    })
  }

  /** Handles an HTTP upgrade to the path of the API. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    this.#webSockets.handleUpgrade(request, stream, head, (socket) => {
      const below = this.#connections.of(request.socket)
      const connection = new SocketConnection(
        socket,
        below,
        this.#callers,
        this.#deliveries,
        this.#memory,
        this.#limits,
        this.#logger,
      )
      this.#open.add(connection)
      below.onFault(() => connection.failed())
      connection.serve(this.#protocol)
      socket.once('close', () => this.#open.delete(connection))
    })
  }

  /** Tells each client that the server is shutting down, and waits until all have left or were disconnected. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((connection) => connection.leave()))
    this.#webSockets.close()
  }
}

/** One socket. Its key, timers and followers are released when it closes, whichever side closes it. */
class SocketConnection {
  /** The owner of the key in connection_init; null if there was none. */
  principal: Principal | null = null
  readonly #socket: WebSocket
  readonly #below: Connection
  readonly #callers: Authenticator
  readonly #deliveries: DeliveryBudget
  readonly #limits: WebSocketLimits
  readonly #logger: Logger
  readonly #leaving = new AbortController()
  readonly #operations: SocketOperations
  /** Set by its first operation. */
  #delivery: Delivery | null = null
  /** Keys in use here, with the functions that stop watching them. */
  readonly #watchedKeys = new Map<string, () => void>()
  readonly #anonymous: NodeJS.Timeout
  #heartbeat: NodeJS.Timeout
  #isAlive = true
  #settled: (() => void) | null = null

  constructor(
    socket: WebSocket,
    below: Connection,
    callers: Authenticator,
    deliveries: DeliveryBudget,
    memory: MemoryBudget,
    limits: WebSocketLimits,
    logger: Logger,
  ) {
    this.#socket = socket
    this.#below = below
    this.#callers = callers
    this.#deliveries = deliveries
    this.#limits = limits
    this.#logger = logger
    this.#operations = new SocketOperations(memory, (bytes) => this.#tooMuchMemory(bytes))
    this.#anonymous = setTimeout(() => void this.close(CloseCode.Unauthorized, 'Unauthorized'), limits.anonymousMs)
    this.#heartbeat = setInterval(() => this.#beat(), limits.pingMs)
    // Every operation of the socket may add an abort listener.
    setMaxListeners(0, this.left)
  }

  /** Aborted when the socket is closed or is about to be. */
  get left(): AbortSignal {
    return this.#leaving.signal
  }

  begin(id: string, payload: object, { owner }: Principal): Pick<SocketOperation, 'left' | 'space' | 'ending'> {
    this.#delivery ??= this.#deliveries.open(owner, () => this.#makeSpace())
    return { ...this.#operations.begin(id, payload), space: this.#delivery }
  }

  /** Its result was sent, or the client no longer waits for it. */
  end(payload: object): void {
    this.#operations.end(payload)
    if (!this.#operations.isEnding) this.#settled?.()
  }

  /** Closes the socket because the server is shutting down: finished subscriptions are completed first. */
  async leave(): Promise<void> {
    // A follower that has read the last entry learns in this turn that it was the last.
    await turn()
    if (this.#operations.isEnding) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#settled = resolve
      await Deadline.isMet(promise, this.#limits.closeMs)
      // graphql-ws sends the completion message after calling us.
      await turn()
    }
    await this.close(1001, 'Going away')
  }

  serve(protocol: Server<SocketConnection>): void {
    const socket = this.#socket
    socket.on('pong', () => (this.#isAlive = true))
    // ws closes the socket itself after an error: an invalid or oversized frame, or a broken connection.
    socket.on('error', (error) => this.#logger.debug({ err: error }, 'a WebSocket failed'))
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => this.#send(data),
        close: (code, reason) => void this.close(code ?? 1000, reason ?? ''),
        onMessage: (listener) => {
          socket.on('message', (data) => {
            const text = textOf(data)
            const left = idOfComplete(text)
            // graphql-ws does not cancel a query that the client no longer waits for.
            if (left !== null) this.#operations.giveUp(left)
            listener(text).catch((error: unknown) => {
              this.#logger.error({ err: error }, 'a message over WebSocket could not be served')
              this.failed()
            })
          })
        },
      },
      this,
    )
    this.#boundAnonymous()
    socket.once('close', (code, reason) => {
      this.#free()
      closed(code, String(reason)).catch((error: unknown) => {
        this.#logger.error({ err: error }, 'the operations of a WebSocket could not be ended')
      })
    })
  }

  /**
   * The caller of this key, or null; when the key becomes invalid, the socket is closed. Throws TooManyWrongKeys or
   * TooManyConnections.
   */
  async authenticate(secret: string, of: 'connection' | 'operation'): Promise<Principal | null> {
    const principal = await this.#callers.authenticate(secret, this.#below.address)
    if (!principal || this.left.aborted) return null
    if (!this.#below.isAuthenticated) this.#below.admit(principal.owner, principal.sessionId === null ? 'key' : 'link')
    if (of === 'connection') this.principal = principal
    clearTimeout(this.#anonymous)
    if (!this.#watchedKeys.has(principal.apiKeyId)) {
      const forbid = () => void this.close(CloseCode.Forbidden, 'The API key is no longer valid')
      this.#watchedKeys.set(principal.apiKeyId, this.#callers.onInvalid(principal, forbid))
    }
    return principal
  }

  /** Ends the followers at once, and the socket as soon as the other side acknowledges or its time is up. */
  async close(code: number, reason: string): Promise<void> {
    this.#free()
    if (this.#socket.readyState === this.#socket.CLOSED) return
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    this.#socket.once('close', resolve)
    this.#socket.close(code, closeReason(reason))
    const cutOff = setTimeout(() => this.#socket.terminate(), this.#limits.closeMs)
    await closed
    clearTimeout(cutOff)
  }

  /** An internal error while serving it. */
  failed(): void {
    void this.close(CloseCode.InternalServerError, 'Internal server error')
  }

  #makeSpace(): void {
    this.#logger.info('a reader was disconnected to make room for others')
    this.#socket.terminate()
  }

  #tooMuchMemory(bytes: number): void {
    this.#logger.info({ bytes }, 'the requests of running operations take too much memory: the largest end')
    void this.close(TRY_AGAIN_LATER, 'TOO_MANY_OPERATIONS: the requests of running operations are too large')
  }

  #send(data: string): Promise<void> {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return Promise.resolve()
    if (socket.bufferedAmount > this.#limits.unreadBytes) {
      this.#logger.info({ unreadBytes: socket.bufferedAmount }, 'a WebSocket left too much unread')
      socket.terminate()
      return Promise.resolve()
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const held = this.#delivery?.hold(data.length)
    // A send fails only because the socket is closing, which ends the operation anyway.
    socket.send(data, () => {
      held?.release()
      resolve()
    })
    return promise
  }

  /** Until a key is verified, the socket may be evicted and may send only little. */
  #boundAnonymous(): void {
    const { socket } = this.#below
    const most = socket.bytesRead + this.#limits.anonymousBytes
    const count = () => {
      if (!this.#below.isAuthenticated && socket.bytesRead <= most) return
      socket.off('data', count)
      if (!this.#below.isAuthenticated) void this.close(CloseCode.Unauthorized, 'Unauthorized')
    }
    socket.on('data', count)
    this.#below.onEvicted(
      () => void this.close(TRY_AGAIN_LATER, 'TOO_MANY_CONNECTIONS: too many connections without an API key'),
    )
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
    this.#operations.close()
    this.#delivery?.close()
  }
}

export function refuseUpgrade(stream: Duplex, status: string, headers = ''): void {
  sayAndLetGo(stream, `HTTP/1.1 ${status}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`)
}
