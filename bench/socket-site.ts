import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocketServer, type WebSocket } from 'ws'

/** A page with a WebSocket on which this process sends numbered messages at a fixed rate. */
export interface SocketSite {
  page: string
  /** Resolves with the WebSocket of the next page that connects. */
  connected(): Promise<WebSocket>
  close(): Promise<void>
}

const EVERY_MS = 10
const PAGE = `<!doctype html><title>socket</title><link rel="icon" href="data:,">
<script>const socket = new WebSocket('ws://' + location.host + '/')
socket.onmessage = ({ data }) => { if (data === 'end') socket.close() }</script>`
const REST = 'the price of the item that is shown was changed to'

/** Milliseconds since this process sent the message; null for the last one. */
export function delayOf(text: string, now: number): number | null {
  const [, at] = text.split(' ', 2)
  return at === undefined ? null : now - Number(at)
}

/**
 * Sends messages at the given rate, the last of them "end", on which the page closes the WebSocket: a close by the
 * server would cut off a browser that is behind. Late timers are compensated for.
 */
export async function sendMessages(socket: WebSocket, count: number, perSecond: number): Promise<void> {
  const start = performance.now()
  for (let number = 0; number < count - 1;) {
    const due = Math.min(count - 1, Math.floor(((performance.now() - start) / 1000) * perSecond))
    for (; number < due; number += 1) socket.send(`${number} ${performance.now()} ${REST}`)
    await delay(EVERY_MS)
  }
  socket.send('end')
}

export async function startSocketSite(): Promise<SocketSite> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
  })
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    page: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    connected: async () => {
      const [socket] = (await once(sockets, 'connection')) as [WebSocket]
      return socket
    },
    close: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
