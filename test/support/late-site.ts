import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface LateSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** Responds to pending requests for the path, and to all later ones immediately. */
  release(path: '/late' | '/late-redirect'): void
  close(): Promise<void>
}

/**
 * A site that responds late: /late, and /late-redirect?<target>, once released, an image of /unfinished never,
 * anything else immediately.
 */
export async function startLateSite(): Promise<LateSite> {
  const released = new Set<string>()
  const waiting = new Set<ServerResponse>()
  const page = (response: ServerResponse, body: string) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<link rel="icon" href="data:,">${body}`)
  const redirect = (response: ServerResponse) =>
    response.writeHead(302, { location: new URL(response.req.url ?? '/', 'http://site').search.slice(1) }).end()
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    if (released.has(pathname) && pathname === '/late-redirect') redirect(response)
    else if (pathname === '/never' || (pathname.startsWith('/late') && !released.has(pathname))) waiting.add(response)
    else
      page(response, pathname === '/unfinished' ? '<title>Unfinished</title><img src="/never">' : '<title>Here</title>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    release(path) {
      released.add(path)
      for (const response of waiting) {
        if (response.req.url?.split('?')[0] !== path) continue
        if (path === '/late') page(response, '<title>At last</title>')
        else redirect(response)
      }
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
