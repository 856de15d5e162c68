import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { SELF_SIGNED } from './self-signed.ts'

export interface OptionsSite {
  /** http://127.0.0.1:<port> */
  url: string
  /** The same server under another name. */
  elsewhere: string
  /** https, with a self-signed certificate. */
  secure: string
  /** Authorization headers of the requests for a path so far, in order. */
  authorizationsFor(path: string): (string | undefined)[]
  close(): Promise<void>
}

/** Device and user settings visible to a page. */
const SEEN = `window.seen = async () => {
  const permission = (name) => navigator.permissions.query({ name }).then(({ state }) => state)
  const position = new Promise((resolve) => navigator.geolocation.getCurrentPosition(
    ({ coords: { latitude, longitude, accuracy } }) => resolve([latitude, longitude, accuracy]),
    ({ code }) => resolve('error ' + code)))
  return {
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
    reduced: matchMedia('(prefers-reduced-motion: reduce)').matches,
    scale: devicePixelRatio,
    width: innerWidth,
    touch: navigator.maxTouchPoints > 0,
    geolocation: await permission('geolocation'),
    notifications: await permission('notifications'),
    camera: await permission('camera'),
    position: await position,
  }
}
window.fetched = (url) => fetch(url, { cache: 'no-store' }).then(({ status }) => status, () => 'failed')
window.socket = (url) => new Promise((resolve) => {
  const socket = new WebSocket(url)
  socket.onopen = () => { resolve('open'); socket.close() }
  socket.onerror = () => resolve('failed')
})`

/** Queries a worker of each kind for its settings and the results of its requests. */
const ASK = `window.askWorkers = async (url) => {
  const asked = (post) => new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }) => resolve(data)
    post(url, [port2])
  })
  const worker = window.worker ??= new Worker('/worker.js')
  const shared = window.shared ??= new SharedWorker('/worker.js')
  await navigator.serviceWorker.register('/worker.js')
  const { active } = await navigator.serviceWorker.ready
  return {
    worker: await asked((...message) => worker.postMessage(...message)),
    shared: await asked((...message) => shared.port.postMessage(...message)),
    service: await asked((...message) => active.postMessage(...message)),
  }
}`

const WORKER = `
const answer = async ({ data: url, ports: [port] }) => port.postMessage({
  geolocation: (await navigator.permissions.query({ name: 'geolocation' })).state,
  online: navigator.onLine,
  fetched: await fetch(url, { cache: 'no-store' }).then(({ status }) => status, () => 'failed'),
})
onmessage = answer
onconnect = ({ ports: [port] }) => { port.onmessage = answer }`

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<link rel="icon" href="data:,"><script>${SEEN}; ${ASK}</script></head>
<body style="height: 900px"><a id="opener" href="/" target="_blank" rel="opener">popup</a></body></html>`

export const CREDENTIALS = { username: 'user', password: 'word: nobody may see ü' }
const EXPECTED = `Basic ${Buffer.from(`${CREDENTIALS.username}:${CREDENTIALS.password}`).toString('base64')}`

/** Pages that report their settings; those below /private require CREDENTIALS. */
export async function startOptionsSite(): Promise<OptionsSite> {
  const asked: { path: string; authorization: string | undefined }[] = []
  const serve = ({ url = '/', headers }: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(url, 'http://site')
    asked.push({ path: pathname, authorization: headers.authorization })
    response.setHeader('access-control-allow-origin', '*')
    if (pathname.startsWith('/private') && headers.authorization !== EXPECTED) {
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="Private", charset="UTF-8"' }).end('Who?')
    }
    if (pathname === '/worker.js') return void response.setHeader('content-type', 'text/javascript').end(WORKER)
    response.setHeader('content-type', 'text/html; charset=utf-8').end(PAGE)
  }
  const plain = createServer(serve)
  const secure = createSecureServer(SELF_SIGNED, serve)
  const webSockets = new WebSocketServer({ server: secure })
  const servers = [plain, secure]
  for (const server of servers) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const portOf = (server: (typeof servers)[number]) => (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${portOf(plain)}`,
    elsewhere: `http://localhost:${portOf(plain)}`,
    secure: `https://127.0.0.1:${portOf(secure)}`,
    authorizationsFor: (path) => asked.flatMap((one) => (one.path === path ? [one.authorization] : [])),
    async close() {
      for (const client of webSockets.clients) client.terminate()
      webSockets.close()
      for (const server of servers) {
        const closed = new Promise((resolve) => server.close(resolve))
        server.closeAllConnections()
        await closed
      }
    },
  }
}
