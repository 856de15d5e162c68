import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

export interface BodiesSite {
  url: string
  /** The same site under another origin. */
  otherUrl: string
  /** A page that runs the script as a module, with `get`, `post`, `other` and `done` in its scope. */
  page(script: string): string
  close(): Promise<void>
}

type Answer = [type: string | null, body: string | Buffer, headers?: Record<string, string>, status?: number]

export const LARGE = 300_000

/** Response of each path. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  '/json': ['application/json', '{"greeting":"grüezi"}'],
  '/problem': ['application/problem+json', '{"title":"no stock"}', {}, 502],
  '/gzip': ['application/json', gzipSync(JSON.stringify('z'.repeat(5_000))), { 'content-encoding': 'gzip' }],
  '/latin1': ['text/plain; charset=ISO-8859-1', Buffer.from('café', 'latin1')],
  '/utf16': ['application/json; charset="utf-16le"', Buffer.from('{"a":"plain"}', 'utf16le')],
  '/shift-jis': ['text/html', Buffer.concat([Buffer.from('<meta charset=shift_jis>'), Buffer.from([0x82, 0xb1])])],
  '/undeclared': ['text/plain', Buffer.from('naïve', 'latin1')],
  '/not-json': ['application/json', Buffer.from([0x7b, 0xff, 0x00, 0x7d])],
  '/untyped': [null, '{"no":"type"}'],
  '/untyped-bytes': [null, Buffer.from([1, 2, 0, 255])],
  '/bytes': ['application/octet-stream', Buffer.from([0, 1, 2, 255])],
  '/svg': ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  '/empty': ['application/json', ''],
  '/empty-chunked': ['application/json', '', { 'transfer-encoding': 'chunked' }],
  '/large': ['text/plain', 'l'.repeat(LARGE)],
  '/large-gzip': ['text/plain', gzipSync('l'.repeat(LARGE)), { 'content-encoding': 'gzip' }],
  '/script.js': ['text/javascript', 'globalThis.loaded = 1'],
  '/missing.png': ['text/html', '<b>no such picture</b>', {}, 404],
  '/missing.js': ['image/png', Buffer.from([137, 80, 78, 71, 0, 255]), {}, 404],
  '/redirect': ['text/plain', 'moved', { location: '/json' }, 302],
  '/nothing': [null, '', {}, 204],
  '/allowed': ['application/json', '{"shared":true}', { 'access-control-allow-origin': '*' }],
  '/guarded': ['application/json', '{"secret":true}'],
  '/cached': ['application/json', '{"cached":true}', { 'cache-control': 'max-age=600' }],
  '/frame': [
    'text/html',
    `<script type=module>await fetch('/json?of-frame'); parent.postMessage('framed', '*')</script>`,
  ],
  '/worker.js': [
    'text/javascript',
    `fetch('/json?of-worker').then((r) => r.text()).then(() => { postMessage(1); close() })`,
  ],
  '/shared.js': [
    'text/javascript',
    `onconnect = async ({ ports: [port] }) => { await (await fetch('/json?of-shared')).text(); port.postMessage(1) }`,
  ],
  '/service.js': [
    'text/javascript',
    `onactivate = (event) => event.waitUntil(clients.claim())
     onfetch = (event) => { if (event.request.url.endsWith('/answered')) event.respondWith(Response.json({ by: 'worker' })) }`,
  ],
  '/popup': ['text/html', `<script type=module>await (await fetch('/json?of-popup')).text(); window.close()</script>`],
}

/** Helpers for pages. */
const SCOPE = `
const get = async (path, init) => (await fetch(path, init)).text()
const post = (path, body, headers = {}) => get(path, { method: 'POST', body, headers })
const other = location.origin.replace('127.0.0.1', 'localhost')
const done = () => console.log('done')
`

/** Responds with bodies of many kinds; the response to a POST is the length of its body. */
export async function startBodiesSite(): Promise<BodiesSite> {
  const scripts = new Map<string, string>()
  const server = createServer((request, response) => answer(request, response, scripts))
  const { promise: listening, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await listening
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    otherUrl: `http://localhost:${port}`,
    page(script) {
      const path = `/page/${scripts.size}`
      scripts.set(path, script)
      return `${url}${path}`
    },
    close: () => closed(server),
  }
}

function answer(request: IncomingMessage, response: ServerResponse, scripts: ReadonlyMap<string, string>): void {
  const { pathname } = new URL(request.url ?? '/', 'http://site')
  const script = scripts.get(pathname)
  if (script !== undefined) {
    const html = `<!doctype html><link rel=icon href="data:,"><script type=module>${SCOPE}${script}</script>`
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html)
  } else if (request.method === 'POST') {
    let length = 0
    request.on('data', (chunk: Buffer) => (length += chunk.length))
    request.on('end', () => response.end(`${length} bytes`))
  } else if (pathname === '/stream') {
    // Begins, and never ends.
    response.writeHead(200, { 'content-type': 'text/plain' }).write('beginning')
  } else if (pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n')
  } else if (pathname === '/torn') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
    response.write('{"half":', () => response.destroy())
  } else {
    const [type, body, headers = {}, status = 200] = ANSWERS[pathname] ?? ['text/plain', 'no such path', {}, 404]
    response.writeHead(status, { ...(type !== null && { 'content-type': type }), ...headers }).end(body)
  }
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  await promise
}
