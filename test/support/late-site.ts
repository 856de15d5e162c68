import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface LateSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** Responds to whoever asked for /late and still waits, and to all that ask from now on. */
  release(): void
  close(): Promise<void>
}

/** A site that responds late: /late when it is released, an image of /unfinished never, anything else at once. */
export async function startLateSite(): Promise<LateSite> {
  let isReleased = false
  const waiting = new Set<ServerResponse>()
  const page = (response: ServerResponse, body: string) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<link rel="icon" href="data:,">${body}`)
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    if (pathname === '/never' || (pathname === '/late' && !isReleased)) waiting.add(response)
    else
      page(response, pathname === '/unfinished' ? '<title>Unfinished</title><img src="/never">' : '<title>Here</title>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    release() {
      isReleased = true
      for (const response of waiting) if (response.req.url === '/late') page(response, '<title>At last</title>')
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
