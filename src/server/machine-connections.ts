import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { WebSocketServer } from 'ws'
import type { AnsweringHandshakes } from '../domain/remote/machine-handshakes.ts'
import type { ServedCalls } from '../domain/remote/served-calls.ts'
import { CHANNEL_MESSAGE_BYTES, SocketChannel } from '../machine-channel.ts'
import type { Connections } from './base/connections.ts'
import { answerJson, answerNotFound } from './base/json-response.ts'
import { refuseUpgrade } from './graphql/websocket.ts'

/** Open connections of other machines. Each carries one call, such as a live view. */
const MAX_OPEN = 10_000

/** Connections of other machines. A caller without the secret gets 404 and learns nothing. */
export class MachineConnections {
  readonly #calls: ServedCalls
  readonly #handshakes: AnsweringHandshakes
  readonly #logger: Logger
  readonly #open = new Set<SocketChannel>()
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: CHANNEL_MESSAGE_BYTES,
  })

  constructor(calls: ServedCalls, handshakes: AnsweringHandshakes, logger: Logger) {
    this.#calls = calls
    this.#handshakes = handshakes
    this.#logger = logger
  }

  /** GET /machines/challenge */
  async serve(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { address } = this.#calls
    const challenge = request.method === 'GET' && address ? this.#handshakes.challenge(address, url.searchParams) : null
    if (!challenge) return answerNotFound(response)
    response.setHeader('cache-control', 'no-store')
    answerJson(response, 200, challenge)
  }

  /** Handles an HTTP upgrade. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, connections: Connections): void {
    const { address } = this.#calls
    const [, credentials] = /^Tabwire (.{1,500})$/.exec(request.headers.authorization ?? '') ?? []
    if (!address || credentials === undefined || !this.#handshakes.admit(address, credentials)) {
      return refuseUpgrade(stream, '404 Not Found')
    }
    if (this.#open.size >= MAX_OPEN) return refuseUpgrade(stream, '503 Service Unavailable')
    this.#webSockets.handleUpgrade(request, stream, head, (socket) => {
      const connection = connections.of(request.socket)
      // It is no client's, and has a bound of its own.
      connections.remove(connection)
      const channel = new SocketChannel(socket)
      connection.onFault((error) => {
        this.#logger.error({ err: error }, 'a fault in a connection of another machine: it ends')
        channel.terminate()
      })
      this.#open.add(channel)
      void channel.closed.then(() => this.#open.delete(channel))
      this.#calls.accept(channel)
    })
  }

  /** Resolves when all are closed. */
  async close(): Promise<void> {
    const open = [...this.#open]
    for (const channel of open) channel.close()
    await Promise.all(open.map(({ closed }) => closed))
    this.#webSockets.close()
  }
}
