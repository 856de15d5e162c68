import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PopupSite {
  /** http://127.0.0.1:<port>; the same port on localhost is another site. */
  url: string
  elsewhere: string
  /** Headers of the requests for a path so far. */
  headersOf(path: string): IncomingHttpHeaders[]
  close(): Promise<void>
}

/** State of a document or worker before its other scripts run. */
const SEEN = `window.seen = { early: window.early ?? null, added: typeof window.add, width: innerWidth,
  userAgent: navigator.userAgent, language: navigator.language }`

const page = (title: string, script: string, body = '') =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title>` +
  `<script>${script}</script></head><body>${body}</body></html>`

const pages = (elsewhere: string): Readonly<Record<string, string>> => ({
  '/': page(
    'Opener',
    '',
    `<a id="opener" href="/seen" target="_blank" rel="opener">with an opener</a>
    <a id="noopener" href="/seen" target="_blank">without</a>
    <a id="elsewhere" href="${elsewhere}/seen" target="_blank" rel="opener">on another site</a>
    <form id="form" action="/seen" target="_blank"><button id="submit">by a form</button></form>
    <button id="open" onclick="window.open('/seen')">by a script</button>
    <button id="ask" onclick="document.title = String(confirm('Sure?'))">ask</button>`,
  ),
  '/seen': page('Seen', `${SEEN}; console.log('popup of ' + location.hostname + location.search)`),
  '/frame': page('Frame', '', `<iframe src="${elsewhere}/seen"></iframe>`),
  '/leaving': page(
    'Leaving',
    `addEventListener('beforeunload', (event) => event.preventDefault())`,
    '<button>b</button>',
  ),
  '/worker': page('', `new Worker('/worker.js').onmessage = ({ data }) => { document.title = data }`),
  '/shared': page('', `new SharedWorker('/shared.js').port.onmessage = ({ data }) => { document.title = data }`),
})

const SCRIPTS: Readonly<Record<string, string>> = {
  '/worker.js': `fetch('/data?worker').then((response) => response.text()).then((text) => {
    console.log('worker ' + navigator.userAgent); postMessage(text + ' ' + navigator.userAgent) })`,
  '/shared.js': `onconnect = ({ ports: [port] }) => fetch('/data?shared').then((response) => response.text()).then((text) => {
    console.log('shared ' + navigator.userAgent); port.postMessage(text + ' ' + navigator.userAgent) })`,
}

/** Pages that open others in every possible way, and report the initial state of the others. */
export async function startPopupSite(): Promise<PopupSite> {
  const seen = new Map<string, IncomingHttpHeaders[]>()
  const server = createServer(({ url = '/', headers }, response) => {
    const { pathname } = new URL(url, 'http://site')
    seen.set(pathname, [...(seen.get(pathname) ?? []), headers])
    const script = SCRIPTS[pathname]
    const body = pathname === '/data' ? 'served' : (script ?? pages(elsewhere())[pathname])
    const type = script ? 'text/javascript' : 'text/html; charset=utf-8'
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type }).end(body)
  })
  const elsewhere = () => `http://localhost:${(server.address() as AddressInfo).port}`
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    elsewhere: elsewhere(),
    headersOf: (path) => seen.get(path) ?? [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
