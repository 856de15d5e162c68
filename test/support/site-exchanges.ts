import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

export interface ExchangeSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** The same site under another origin. */
  otherUrl: string
  /** Number of held requests for the path. */
  held(path: string): number
  /** Responds to them. */
  release(path: string): void
  close(): Promise<void>
}

/** A site with the given responses, by path; `null` holds the request until it is released, as a 204. */
export async function startExchangeSite(
  answers: (otherUrl: () => string) => Readonly<Record<string, string | Answer | null>>,
): Promise<ExchangeSite> {
  const waiting = new Map<string, ServerResponse[]>()
  let otherUrl = ''
  const all = answers(() => otherUrl)
  const server = createServer((request, response) => {
    // If the request body is not read, the browser may not receive the response.
    request.resume()
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    const answer = all[pathname]
    if (answer === null) waiting.set(pathname, [...(waiting.get(pathname) ?? []), response])
    else if (answer === undefined) response.writeHead(404, { 'content-type': 'text/plain' }).end('no such page')
    else if (typeof answer === 'string') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<link rel="icon" href="data:,">${answer}`)
    } else answer(response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  otherUrl = `http://localhost:${port}`
  return {
    url: `http://127.0.0.1:${port}`,
    otherUrl,
    held: (path) => waiting.get(path)?.length ?? 0,
    release(path) {
      for (const response of waiting.get(path) ?? []) response.writeHead(204, { 'x-late': 'yes' }).end()
      waiting.delete(path)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
