import { createServer as createHttpServer, request, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export interface TestUpstream {
  port: number
  /** Requests received: "CONNECT site.test:443", "GET http://site.test/a". */
  asked: string[]
  /** So far. */
  connectionCount(): number
  /** The headers of each. */
  headers: IncomingMessage['headers'][]
  close(): Promise<void>
}

export interface UpstreamManners {
  /** user:password; others get 407. */
  credentials?: string
  /** Like many proxies, it tunnels only to this port. */
  tunnelsTo?: number
  /** For https. */
  tls?: { key: string; cert: string }
}

/** A forward proxy on 127.0.0.1 that resolves every name to this machine. */
export async function startUpstream(manners: UpstreamManners = {}): Promise<TestUpstream> {
  const asked: string[] = []
  const headers: TestUpstream['headers'] = []
  const sockets = new Set<Duplex>()
  const own = <T extends Duplex>(socket: T) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const isWelcome = (incoming: IncomingMessage) => {
    asked.push(`${incoming.method} ${incoming.url}`)
    headers.push(incoming.headers)
    const { credentials } = manners
    const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`
    return !wanted || incoming.headers['proxy-authorization'] === wanted
  }
  const forward: RequestListener = (incoming, response) => {
    if (!isWelcome(incoming)) return void response.writeHead(407).end('who are you?')
    const { port, pathname, search, host } = new URL(incoming.url!)
    const outgoing = request({
      host: '127.0.0.1',
      port: port || 80,
      path: pathname + search,
      method: incoming.method,
      headers: { ...incoming.headers, host },
    })
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.statusMessage, answer.headers)
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    outgoing.on('error', () => response.writeHead(502).end('no answer'))
    incoming.pipe(outgoing)
  }
  const server = manners.tls ? createHttpsServer(manners.tls, forward) : createHttpServer(forward)
  // Tests count connections: none is closed for being idle.
  server.keepAliveTimeout = 0
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections += 1
    own(socket)
  })
  server.on('connect', (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    own(client)
    if (!isWelcome(incoming)) return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const port = Number(/:(\d+)$/.exec(incoming.url!)![1])
    if (manners.tunnelsTo !== undefined && port !== manners.tunnelsTo) {
      return void client.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    }
    const target = own(connect(port, '127.0.0.1', () => client.write('HTTP/1.1 200 Connection established\r\n\r\n')))
    target.write(head)
    target.pipe(client).pipe(target)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    headers,
    connectionCount: () => connections,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
