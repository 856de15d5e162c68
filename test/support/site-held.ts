import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HeldSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** Resolves when a held path has been requested. */
  asked(path: string): Promise<void>
  /** Responds to a held request, or to the next one for the path. */
  release(path: string): void
  close(): Promise<void>
}

const page = (title: string, body = '') =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title>${body}`

/** Pages by path; requests below /held/ are answered when the test releases them. */
export async function startHeldSite(pages: Readonly<Record<string, string>> = {}): Promise<HeldSite> {
  const waiting = new Map<string, { asked: PromiseWithResolvers<void>; released: PromiseWithResolvers<void> }>()
  const gateOf = (path: string) => {
    const found = waiting.get(path)
    if (found) return found
    const made = { asked: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() }
    waiting.set(path, made)
    return made
  }
  const respond = (path: string, response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(page(path, pages[path]))
  const server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://site')
    if (!pathname.startsWith('/held/')) return void respond(pathname, response)
    const gate = gateOf(pathname)
    gate.asked.resolve()
    void gate.released.promise.then(() => respond(pathname, response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: (path) => gateOf(path).asked.promise,
    release: (path) => gateOf(path).released.resolve(),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
