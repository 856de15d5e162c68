import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.bin': 'application/octet-stream' }

export interface PagesSite {
  /** http://<address>:<port> */
  url: string
  /** Requested paths, in order. */
  asked: string[]
  close(): Promise<void>
}

/**
 * A site with the given pages (HTML by path; `.js` are scripts, `.bin` downloads) and redirects (targets by path;
 * `?to`: the parameter of that name). A request with `?late=<milliseconds>` is answered that much later.
 */
export async function startPagesSite(
  pages: Readonly<Record<string, string>>,
  redirects: Readonly<Record<string, string>> = {},
  address = '127.0.0.1',
  port = 0,
): Promise<PagesSite> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    asked.push(pathname)
    const late = searchParams.get('late')
    if (late === null) respond(response, pathname, searchParams)
    else setTimeout(() => respond(response, pathname, searchParams), Number(late))
  })
  const respond = (response: ServerResponse, pathname: string, searchParams: URLSearchParams): void => {
    const target = redirects[pathname]
    const location = target?.startsWith('?') ? (searchParams.get(target.slice(1)) ?? '/') : target
    if (location !== undefined) return void response.writeHead(302, { location }).end()
    const page = pages[pathname] ?? pages['*']
    const type = TYPES[extname(pathname)] ?? 'text/html'
    const disposition = type === 'application/octet-stream' ? { 'content-disposition': 'attachment' } : {}
    const headers = { 'content-type': type, 'access-control-allow-origin': '*', ...disposition }
    if (page === undefined) response.writeHead(404, headers).end('no such page')
    else response.writeHead(200, headers).end(type === 'text/html' ? `<link rel="icon" href="data:,">${page}` : page)
  }
  server.listen(port, address)
  await once(server, 'listening')
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${taken}`,
    asked,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
