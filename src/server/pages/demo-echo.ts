import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'
import { Deadline } from '../../async/deadline.ts'
import type { Connections } from '../base/connections.ts'

/** Anyone may connect, so a socket may neither stay long nor send much. */
const DEMO_ECHO_LIMITS = { messageBytes: 1_024, messages: 20, lifeMs: 30_000, closeMs: 1_000 }

/** The WebSocket of the demo page: echoes its input. Sockets count as connections without a key. */
export class DemoEcho {
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: DEMO_ECHO_LIMITS.messageBytes,
  })
  readonly #open = new Set<WebSocket>()
  readonly #connections: Connections
  readonly #logger: Logger

  constructor(connections: Connections, logger: Logger) {
    this.#connections = connections
    this.#logger = logger
  }

  /** Handles an HTTP upgrade to the path of the echo. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    this.#webSockets.handleUpgrade(request, stream, head, (socket) => {
      const connection = this.#connections.of(request.socket)
      const life = setTimeout(() => void end(socket, 1000, 'open for too long'), DEMO_ECHO_LIMITS.lifeMs)
      this.#open.add(socket)
      socket.once('close', () => {
        clearTimeout(life)
        this.#open.delete(socket)
      })
      // ws closes the socket itself after an error.
      socket.on('error', (error) => this.#logger.debug({ err: error }, 'a WebSocket of the demo page failed'))
      connection.onFault(() => socket.terminate())
      connection.onEvicted(() => void end(socket, 1013, 'too many connections without an API key'))
      let messages = 0
      socket.on('message', (data: RawData, isBinary) => {
        messages += 1
        if (messages > DEMO_ECHO_LIMITS.messages) return void end(socket, 1008, 'too many messages')
        socket.send(data as Buffer, { binary: isBinary })
      })
    })
  }

  /** Tells each client that the server is shutting down, and waits until all have left or were disconnected. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((socket) => end(socket, 1001, 'Going away')))
    this.#webSockets.close()
  }
}

async function end(socket: WebSocket, code: number, reason: string): Promise<void> {
  if (socket.readyState === socket.CLOSED) return
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  socket.once('close', () => resolve())
  socket.close(code, reason)
  if (!(await Deadline.isMet(closed, DEMO_ECHO_LIMITS.closeMs))) socket.terminate()
  await closed
}
