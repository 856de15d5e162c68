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
import type { UpstreamParts } from '../../../egress/upstream-proxy.ts'
import { upstreamRefused } from '../names/connection-failed.ts'
import type { Destination } from './socks-handshake.ts'
import { reset } from './tunnel.ts'
import { authorityOf, proxyAuthorization } from './upstream.ts'

/** How to forward the requests of one connection. */
export interface ForwardedConnection {
  destination: Destination
  parts: UpstreamParts
  /** Opens a connection to the upstream. */
  connect(): Promise<Socket>
  /** Takes over a connection that becomes a WebSocket; `first` has already been read from it. */
  tunnel(first: Buffer): void
  /** A response has arrived. */
  established(): void
  /** Ends the connection. */
  failed(error: unknown): void
}

/** Chromium's limit for response headers; request headers have none. */
const MAX_HEADER_BYTES = 256 * 1024
const HTTP_PORT = 80

/** Not forwarded (RFC 9110, section 7.6.1). */
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

/** Whether an HTTP/1 request begins here; anything else, mostly TLS, is tunneled. */
export function beginsRequest(bytes: Buffer): boolean {
  return /^[A-Z]{3,20} [/*]/.test(bytes.subarray(0, 24).toString('latin1'))
}

/**
 * Forwards plain HTTP to an upstream proxy as requests in absolute form, since many proxies allow CONNECT to port 443 only.
 * The target is always the destination of the connection, whatever a request's Host header says.
 */
export class HttpForward {
  readonly #server: Server
  readonly #connections = new WeakMap<Duplex, ForwardedConnection & { agent: Agent }>()

  constructor() {
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0,
      connectionsCheckingInterval: 2 ** 30,
    })
    this.#server.on('request', (incoming, response) => {
      try {
        this.#forward(incoming, response)
      } catch {
        // A request that cannot be written ends its connection only.
        incoming.socket.destroy()
      }
    })
    this.#server.on('upgrade', (incoming, client: Socket, head: Buffer) => this.#upgrade(incoming, client, head))
    this.#server.on('clientError', (_, client) => client.destroy())
  }

  /** Serves a browser's connection from its first byte. */
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
      // The idle connection was closed by the upstream; the browser retries by itself.
      if (outgoing.reusedSocket) reset(incoming.socket)
      else connection.failed(error)
    }
    const host = authorityOf(destination).replace(new RegExp(`:${HTTP_PORT}$`), '')
    // Of a hop, and not set by default here: without it, a body would be read as further requests.
    const framing = incoming.headers['transfer-encoding'] === undefined ? [] : ['transfer-encoding', 'chunked']
    const outgoing = request({
      method: incoming.method,
      path: `http://${host}${path === '*' ? '' : path}`,
      headers: [...endToEnd(incoming.rawHeaders), ...framing, ...Object.entries(proxyAuthorization(parts)).flat()],
      agent,
      // Browsers are as lenient.
      insecureHTTPParser: true,
      maxHeaderSize: MAX_HEADER_BYTES,
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
      // A truncated body must not look complete.
      pipeline(answer, response).catch(() => reset(incoming.socket))
    })
    outgoing.on('error', fail)
    // The end of the request may still be in transit when the response is complete, mostly over TLS; the connection is
    // reused.
    response.once('close', () => {
      if (!response.writableFinished) outgoing.destroy()
    })
    incoming.pipe(outgoing)
  }

  /** A WebSocket needs a tunnel; the request that was parsed here is sent through it first. */
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

/** One upstream connection per browser connection. */
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

/** Alternating names and values, like `rawHeaders`. */
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
