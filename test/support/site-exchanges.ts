import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

export interface ExchangeSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** The same site under another origin. */
  otherUrl: string
  /** Requests whose responses wait, by path. */
  held(path: string): number
  /** Responds to what waits there. */
  release(path: string): void
  close(): Promise<void>
}

/** A site of responses as they are given, by path; `null` holds the request until it is released, as a 204. */
export async function startExchangeSite(
  answers: (otherUrl: () => string) => Readonly<Record<string, string | Answer | null>>,
): Promise<ExchangeSite> {
  const waiting = new Map<string, ServerResponse[]>()
  let otherUrl = ''
  const all = answers(() => otherUrl)
  const server = createServer((request, response) => {
    // Of a request whose body is not read, the browser may be told nothing.
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
