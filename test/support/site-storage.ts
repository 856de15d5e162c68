import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const page = (script: string) => `<!doctype html><link rel="icon" href="data:,"><title>storage</title>
<body><button id="popup" onclick="window.open('/other')">Popup</button><pre id="out"></pre><script>${script}</script>`

/** Responds to every request of the site with a page that reports, once it controls the site. */
const WORKER = `
addEventListener('install', () => skipWaiting())
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
addEventListener('fetch', (event) => event.respondWith(new Response(
  '<!doctype html><script>console.log("the worker was asked"); fetch("/asked")</' + 'script>',
  { headers: { 'content-type': 'text/html' } })))`

const PAGES: Record<string, string> = {
  '/store': page(`localStorage.setItem('key', 'kept'); out.textContent = 'stored'`),
  '/worker': page(`
    localStorage.setItem('key', 'kept')
    navigator.serviceWorker.addEventListener('controllerchange', () => { out.textContent = 'controlled' })
    navigator.serviceWorker.register('/worker.js')`),
  // Blocks the page until the server responds.
  '/waits': page(`
    localStorage.setItem('key', 'kept')
    onload = () => setTimeout(() => {
      const request = new XMLHttpRequest()
      request.open('GET', '/held', false)
      request.send()
      out.textContent = 'released'
    }, 500)`),
  '/other': page(''),
}

export interface StorageSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** Requested paths. */
  asked: string[]
  /** Releases the pages that wait for /held. */
  release(): void
  close(): Promise<void>
}

/** A site whose pages store data: start several for several origins. */
export async function startStorageSite(host = '127.0.0.1'): Promise<StorageSite> {
  const asked: string[] = []
  const held: ServerResponse[] = []
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    asked.push(pathname)
    if (pathname === '/held') held.push(response)
    else if (pathname === '/worker.js') response.writeHead(200, { 'content-type': 'text/javascript' }).end(WORKER)
    else response.writeHead(200, { 'content-type': 'text/html' }).end(PAGES[pathname] ?? '')
  })
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await listening
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    asked,
    release: () => {
      for (const response of held.splice(0)) response.end()
    },
    close: async () => {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
