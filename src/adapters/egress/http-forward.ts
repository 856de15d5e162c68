import {
  Agent,
  createServer,
  request,
  validateHeaderValue,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { UpstreamParts } from '../../ports/upstream-proxy.ts'
import { upstreamRefused } from './connection-failed.ts'
import type { Destination } from './socks-handshake.ts'
import { reset } from './tunnel.ts'
import { authorityOf, proxyAuthorization } from './upstream.ts'

/** What one connection of a browser needs to be forwarded as requests. */
export interface ForwardedConnection {
  destination: Destination
  parts: UpstreamParts
  /** Opens a connection to the upstream. */
  connect(): Promise<Socket>
  /** Takes over a connection that is to become a WebSocket; the bytes come before the rest of it. */
  tunnel(first: Buffer): void
  /** The first answer has come. */
  established(): void
  /** Ends the connection. */
  failed(error: unknown): void
}

/** Chromium's own bound of a response's headers; it does not bound those that it sends. */
const MOST_HEADER_BYTES = 256 * 1024
const HTTP_PORT = 80

/** They are of one connection, not of the request (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Whether bytes are the beginning of an HTTP/1 request: anything else (TLS, mostly) is passed on as it is. */
export function beginsRequest(bytes: Buffer): boolean {
  return /^[A-Z]{3,20} [/*]/.test(bytes.subarray(0, 24).toString('latin1'))
}

/**
 * Sends plain HTTP to an upstream proxy as requests in absolute form, for many refuse CONNECT to any port but 443. Only
 * the connection's own destination counts, whatever the requests say of their host.
 */
export class HttpForward {
  readonly #server: Server
  readonly #connections = new WeakMap<Duplex, ForwardedConnection & { agent: Agent }>()

  constructor() {
    this.#server = createServer({
      maxHeaderSize: MOST_HEADER_BYTES,
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0,
      connectionsCheckingInterval: 2 ** 30,
    })
    this.#server.on('request', (incoming, response) => {
      try {
        this.#forward(incoming, response)
      } catch {
        // A request that cannot be written: the connection is the only one that ends.
        incoming.socket.destroy()
      }
    })
    this.#server.on('upgrade', (incoming, client: Socket, head: Buffer) => this.#upgrade(incoming, client, head))
    this.#server.on('clientError', (_, client) => client.destroy())
  }

  /** Serves a browser's connection, of which nothing has been read that was not put back. */
  serve(client: Socket, connection: ForwardedConnection): void {
    const agent = new UpstreamAgent(connection.connect)
    this.#connections.set(client, { ...connection, agent })
    client.once('close', () => agent.destroy())
    this.#server.emit('connection', client)
    client.resume()
  }

  #forward(incoming: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(incoming.socket)
    const path = incoming.url ?? ''
    if (!connection || !/^(\/|\*$)/.test(path)) return void incoming.socket.destroy()
    const { destination, parts, agent } = connection
    const fail = (error: unknown) => {
      if (incoming.socket.destroyed) return
      // It was closed while idle: the browser tries again by itself.
      if (outgoing.reusedSocket) reset(incoming.socket)
      else connection.failed(error)
    }
    const host = authorityOf(destination).replace(new RegExp(`:${HTTP_PORT}$`), '')
    const outgoing = request({
      method: incoming.method,
      path: `http://${host}${path === '*' ? '' : path}`,
      headers: [...endToEnd(incoming.rawHeaders), ...Object.entries(proxyAuthorization(parts)).flat()],
      agent,
      // As lenient as browsers are.
      insecureHTTPParser: true,
      maxHeaderSize: MOST_HEADER_BYTES,
      setDefaultHeaders: false,
    })
    outgoing.on('response', (answer) => {
      if (answer.statusCode === 407) return fail(upstreamRefused())
      connection.established()
      response.sendDate = false
      try {
        response.writeHead(answer.statusCode!, answer.statusMessage, endToEnd(answer.rawHeaders))
      } catch (error) {
        return fail(error)
      }
      // A body that breaks off breaks off here, too.
      pipeline(answer, response).catch(() => reset(incoming.socket))
    })
    outgoing.on('error', fail)
    response.once('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  }

  /** A WebSocket needs a tunnel, in which it starts with the request that has been read here. */
  #upgrade(incoming: IncomingMessage, client: Socket, head: Buffer): void {
    const connection = this.#connections.get(client)
    if (!connection) return void client.destroy()
    const lines = [`${incoming.method} ${incoming.url} HTTP/${incoming.httpVersion}`]
    for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
      lines.push(`${incoming.rawHeaders[index]}: ${incoming.rawHeaders[index + 1]}`)
    }
    connection.tunnel(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  }
}

/** One connection to the upstream for one of the browser's, as long as both last. */
class UpstreamAgent extends Agent {
  readonly #connect: () => Promise<Socket>

  constructor(connect: () => Promise<Socket>) {
    super({ keepAlive: true, maxSockets: 1 })
    this.#connect = connect
  }

  override createConnection(_options: unknown, created: (error: Error | null, socket?: Duplex) => void): undefined {
    this.#connect().then(
      (socket) => created(null, socket),
      (error: unknown) => created(error as Error),
    )
  }
}

/** Names and values in turns, as Node has them. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const pairs = Array.from(
    { length: rawHeaders.length / 2 },
    (_, index) => [rawHeaders[2 * index]!, rawHeaders[2 * index + 1]!] as const,
  )
  const named = pairs
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) =>
      value
        .toLowerCase()
        .split(',')
        .map((token) => token.trim()),
    )
  return pairs
    .filter(
      ([name, value]) =>
        !HOP_BY_HOP.has(name.toLowerCase()) && !named.includes(name.toLowerCase()) && isValid(name, value),
    )
    .flat()
}

function isValid(name: string, value: string): boolean {
  try {
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}
