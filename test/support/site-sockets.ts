import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'

export interface SocketSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** ws://127.0.0.1:<port> */
  socketUrl: string
  /** Number of open WebSockets. */
  openSockets(): number
  close(): Promise<void>
}

/** Server behavior of a WebSocket, by path. */
const SOCKETS: Readonly<Record<string, (client: WebSocket, query: URLSearchParams, socket: Socket) => void>> = {
  '/echo': (client) => client.on('message', (data, isBinary) => client.send(data, { binary: isBinary })),
  '/stay': (client) => client.send('welcome'),
  '/close': (client, query) => {
    client.send('about to close')
    client.close(query.has('code') ? Number(query.get('code')) : undefined, query.get('reason') ?? undefined)
  },
  '/cut': (client, _, socket) => client.send('last words', () => socket.destroy()),
  // ?n= messages of ?size= characters at once, and one more when the client has responded.
  '/flood': (client, query) => {
    const text = 'x'.repeat(Number(query.get('size') ?? 10))
    for (let index = 0; index < Number(query.get('n')); index += 1) client.send(text)
    client.send('done')
    client.on('message', () => client.close(1000))
  },
}

/**
 * A site of scripts and sockets: /page/NAME is a page that runs the script of that name, /script/NAME the script
 * alone, /events sends server-sent events. Scripts find the URL of its WebSockets in `ws`.
 */
export async function startSocketSite(scripts: Readonly<Record<string, string>>): Promise<SocketSite> {
  const webSockets = new WebSocketServer({ noServer: true })
  const sockets = new Set<Socket>()
  const scriptOf = (name: string) => `const ws = 'ws://' + location.host;${scripts[name] ?? ''}`
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    const [, kind, name = ''] = pathname.split('/')
    if (kind === 'events') return sendEvents(response)
    if (kind === 'script') {
      return void response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(scriptOf(name))
    }
    const html = `<!doctype html><link rel="icon" href="data:,"><body><script>${scriptOf(name)}</script>`
    response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'set-cookie': 'visitor=ann; Path=/; HttpOnly' })
      .end(html)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, socket: Socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    if (pathname === '/silent') return
    const serve = SOCKETS[pathname]
    if (!serve) return void socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    webSockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => undefined)
      serve(client, searchParams, socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${host}`,
    socketUrl: `ws://${host}`,
    openSockets: () => webSockets.clients.size,
    async close() {
      for (const client of webSockets.clients) client.terminate()
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function sendEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('id: 7\ndata: one\n\nevent: named\ndata: two\ndata: lines\n\n')
  response.write(`data: ${'y'.repeat(10_000)}\n\n`)
}
