import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import { TASK_ROUTES } from './site-tasks.ts'

export interface TestSite {
  /** http://127.0.0.1:<port>, without a trailing slash. */
  url: string
  close(): Promise<void>
}

interface Visit {
  request: IncomingMessage
  response: ServerResponse
  query: URLSearchParams
  /** Origin of the site: http://127.0.0.1:<port>. */
  origin: string
}

type Route = (visit: Visit) => void

/** A site that triggers each event that a session records. Every page is reached by its path alone. */
export async function startTestSite(): Promise<TestSite> {
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo
    const url = new URL(request.url ?? '/', `http://127.0.0.1:${port}`)
    const route = ROUTES[url.pathname]
    if (route) route({ request, response, query: url.searchParams, origin: url.origin })
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('no such page')
  })
  const webSockets = serveWebSockets(server)
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const client of webSockets.clients) client.terminate()
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** /echo echoes, /greeting sends two messages and closes, every other path is refused. */
function serveWebSockets(server: Server): WebSocketServer {
  const webSockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/echo' && request.url !== '/greeting') {
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
      return
    }
    webSockets.handleUpgrade(request, socket, head, (client) => {
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }))
      if (request.url !== '/greeting') return
      client.send('hello')
      client.send('world')
      client.close(1000, 'said it all')
    })
  })
  return webSockets
}

/** A page with a script. Its icon is inline, so that the browser requests nothing on its own. */
function page(
  title: string,
  script: string | ((visit: Visit) => string),
  body = '',
  headers: Record<string, string> = {},
): Route {
  return (visit) => {
    const code = typeof script === 'string' ? script : script(visit)
    visit.response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers })
    visit.response.end(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,"></head>` +
        `<body>${body}<script>${code}</script></body></html>`,
    )
  }
}

function text(body: string, contentType: string, status = 200, headers: Record<string, string> = {}): Route {
  return ({ response }) => response.writeHead(status, { 'content-type': contentType, ...headers }).end(body)
}

const script = (code: string) => text(code, 'text/javascript')

function redirect(to: string, status = 302): Route {
  return ({ response }) => response.writeHead(status, { location: to }).end()
}

/** Responds after ?ms=, or never if the client disconnects first. */
const slow: Route = ({ response, query }) => {
  const timer = setTimeout(
    () => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Slow</title>at last')
    },
    Number(query.get('ms') ?? 1000),
  )
  response.once('close', () => clearTimeout(timer))
}

const post: Route = ({ request, response }) => {
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
  })
  request.on('end', () => response.writeHead(201, { 'content-type': 'text/plain' }).end(String(size)))
}

const revalidated: Route = ({ request, response }) => {
  const body = 'the same as ever'
  const etag = `"${createHash('sha1').update(body).digest('hex')}"`
  const headers = { etag, 'cache-control': 'no-cache', 'content-type': 'text/plain' }
  if (request.headers['if-none-match'] === etag) response.writeHead(304, headers).end()
  else response.writeHead(200, headers).end(body)
}

const brokenOff: Route = ({ response }) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000' })
  response.write('half', () => response.destroy())
}

/** A body of ?size= bytes; with ?stop it breaks off halfway. */
const file: Route = ({ response, query }) => {
  const body = Buffer.alloc(Number(query.get('size') ?? 1000), 'x')
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': String(body.length),
    'content-disposition': 'attachment; filename="report.bin"',
  })
  if (query.has('stop')) response.write(body.subarray(0, body.length / 2), () => response.destroy())
  else response.end(body)
}

const links: Route = (visit) => {
  const paths = Object.keys(ROUTES).filter((path) => path !== '/')
  page('Test site', '', `<ul>${paths.map((path) => `<li><a href="${path}">${path}</a></li>`).join('')}</ul>`)(visit)
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/': links,
  ...TASK_ROUTES,

  '/title': page('A title', ''),
  '/slow': slow,
  '/events': ({ response }) => response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n'),
  '/hang': page('Hang', 'onload = () => setTimeout(() => { console.log("hanging"); while (true); }, 100)'),
  '/environment': page(
    'Environment',
    `console.log('environment ' + JSON.stringify({
      width: innerWidth, height: innerHeight, userAgent: navigator.userAgent, language: navigator.language,
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone }))`,
  ),

  '/console': page(
    'Console',
    `console.log('plain text'); console.info('for information'); console.debug('for developers')
    console.warn('a warning'); console.error('an error'); console.assert(1 > 2, 'one is not greater')
    console.log('several', 1, true, null, undefined, -0, 10n, Symbol('s'))
    console.log({ a: 1, b: 'two', c: [1, 2, 3], d: { e: 1 } }, [1, 'two', { three: 3 }], new Map([['k', 1]]), new Set([1]))
    console.log('%cred%c and %s of %d', 'color: red', '', 'text', 42, 'more')
    console.table([{ a: 1 }]); console.dir({ dir: true }); (function outer() { console.trace('traced') })()
    console.group('a group'); console.count('counted'); console.groupEnd()
    console.log(new Error('only logged'))
    setTimeout(() => console.info('from a timer'))`,
  ),
  '/strange-texts': page(
    'Strange \\u0000 title',
    `console.log('nul \\u0000 and high \\ud800 and low \\udc00 surrogates')
    console.log('x'.repeat(1_000_000))
    document.title = 'high \\ud800 title'
    history.pushState(null, '', '#high-\\ud800')
    fetch('/header?value=' + encodeURIComponent('caf\\u00e9'), { headers: { 'x-strange': 'caf\\u00e9' } })`,
  ),
  '/header': ({ response, query }) => response.writeHead(200, { 'x-strange': query.get('value') ?? '' }).end('ok'),
  '/burst': page(
    'Burst',
    ({ query }) => `for (let i = 1; i <= ${Number(query.get('n') ?? 10_000)}; i++) console.log('line ' + i)`,
  ),
  // ?n= lines, ?per= of them every ?ms= milliseconds.
  '/flood': page('Flood', ({ query }) => {
    const [n, per, ms] = ['n', 'per', 'ms'].map((name) => Number(query.get(name)))
    return `let i = 0; const timer = setInterval(() => { for (let k = 0; k < ${per}; k++) {
      if (i === ${n}) return clearInterval(timer); console.log('line ' + ++i) } }, ${ms})`
  }),
  '/objects': page(
    'Objects',
    ({ query }) =>
      `for (let i = 1; i <= ${Number(query.get('n') ?? 1_000)}; i++) console.log({ i, list: [i, i] }, [i])`,
  ),
  '/ticker': page(
    'Ticker',
    ({ query }) => `let n = 0; setInterval(() => console.log('tick ' + ++n), ${Number(query.get('ms') ?? 100)})`,
  ),
  '/exceptions': page(
    'Exceptions',
    `function thrower() { throw new TypeError('thrown on purpose') }
    setTimeout(thrower); setTimeout(() => { throw 'a string' })
    Promise.reject(new RangeError('rejected on purpose')); Promise.reject({ code: 7 })`,
  ),

  '/fetches': page(
    'Fetches',
    `(async () => {
      const quietly = (work) => work.catch(() => {})
      const read = async (...request) => (await fetch(...request)).text()
      await read('/text'); await read('/missing'); await read('/broken'); await read('/no-content', { method: 'DELETE' })
      await read('/redirect/1'); await read('/post', { method: 'POST', body: 'x'.repeat(500) })
      await read('/cached'); await read('/cached'); await read('/revalidated'); await read('/revalidated')
      await quietly(read('http://no-such-host.invalid/')); await quietly(read('/broken-off'))
      const stop = new AbortController()
      const aborted = quietly(fetch('/slow?ms=60000&aborted', { signal: stop.signal }))
      setTimeout(() => stop.abort(), 50); await aborted
      await read(URL.createObjectURL(new Blob(['blob']))); await read('data:text/plain,data')
      console.log('fetches done')
    })()`,
    '<img src="/pixel.gif"><script src="/script.js"></script>',
  ),
  '/text': text('some text', 'text/plain', 200, { 'set-cookie': 'seen=yes; Path=/' }),
  '/broken': text('it broke', 'text/plain', 500),
  '/no-content': ({ response }) => response.writeHead(204).end(),
  '/post': post,
  '/cached': text('kept for long', 'text/plain', 200, { 'cache-control': 'max-age=3600' }),
  '/revalidated': revalidated,
  '/broken-off': brokenOff,
  '/redirect/1': redirect('/redirect/2'),
  '/redirect/2': redirect('/redirect/3', 307),
  '/redirect/3': redirect('/text', 301),
  '/pixel.gif': ({ response }) =>
    response
      .writeHead(200, { 'content-type': 'image/gif' })
      .end(Buffer.from('R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==', 'base64')),
  '/script.js': script('window.scriptRan = true'),
  '/crowd': page('Crowd', `for (let n = 0; n < 7; n += 1) fetch('/slow?ms=2000&' + n, { cache: 'no-store' })`),
  '/waiting': page('Waiting', `fetch('/slow?ms=60000').catch(() => {})`),
  '/cross-origin': page(
    'Cross-origin',
    ({ origin }) =>
      `fetch('${origin.replace('127.0.0.1', 'localhost')}/text', { headers: { 'x-own': '1' } }).catch(() => {})`,
  ),

  '/csp': page('CSP', '', '<img src="http://127.0.0.1:1/x.png">', {
    'content-security-policy': "default-src 'self'; script-src 'unsafe-inline'",
  }),
  '/deprecated': page('Deprecated', `document.createElement('input').style.appearance = 'slider-vertical'`),

  '/popup': page('Popup', `window.open('/popup-content')`),
  '/popup-content': page('Popped up', `console.log('said by the popup'); setTimeout(() => close(), 300)`),
  '/frames': (visit) => {
    // The second host is another site, so that its frame has a process of its own.
    const elsewhere = visit.origin.replace('127.0.0.1', 'localhost')
    page('Frames', '', `<iframe src="/frame"></iframe><iframe src="${elsewhere}/frame"></iframe>`)(visit)
  },
  '/frame': page('Frame', `console.log('said by the frame of ' + location.hostname)`),

  '/workers': page(
    'Workers',
    `new Worker('/worker.js'); new SharedWorker('/shared-worker.js')
    navigator.serviceWorker.register('/service-worker.js').then(() => navigator.serviceWorker.ready).then((r) => r.active.postMessage('go'))`,
  ),
  '/shared-workers': page('Shared workers', `for (let i = 0; i < 20; i++) new SharedWorker('/shared-worker.js?' + i)`),
  '/worker.js': script(
    `console.log('said by the worker'); fetch('/text?by=worker'); setTimeout(() => { throw new Error('thrown by the worker') }, 50)`,
  ),
  '/shared-worker.js': script(
    `console.log('said by the shared worker'); fetch('/text?by=shared-worker'); setTimeout(() => { throw new Error('thrown by the shared worker') }, 50)`,
  ),
  '/service-worker.js': script(
    `console.log('said by the service worker')
    addEventListener('message', () => { fetch('/text?by=service-worker'); throw new Error('thrown by the service worker') })
    addEventListener('activate', (event) => event.waitUntil(clients.claim()))
    addEventListener('fetch', (event) => { if (event.request.url.includes('from-worker')) event.respondWith(new Response('made up')) })`,
  ),

  '/download': page('Download', `onload = () => setTimeout(() => { location.href = '/file?size=1000' })`),
  '/download-broken': page(
    'Broken download',
    `onload = () => setTimeout(() => { location.href = '/file?size=1000&stop' })`,
  ),
  '/file': file,

  '/dialogs': page(
    'Dialogs',
    `setTimeout(() => {
      alert('an alert'); const sure = confirm('sure?'); const name = prompt('name?', 'nobody')
      console.log('dialogs done ' + JSON.stringify({ sure, name }))
    })`,
  ),
  '/beforeunload': page(
    'Before unload',
    `addEventListener('beforeunload', (event) => event.preventDefault())`,
    '<button>touch</button>',
  ),

  '/websocket': page('WebSocket', ({ origin }) => {
    const base = origin.replace('http', 'ws')
    return `const echo = new WebSocket('${base}/echo')
      echo.onopen = () => { echo.send('one'); echo.send('two') }
      let echoed = 0; echo.onmessage = () => { if (++echoed === 2) echo.close() }
      new WebSocket('${base}/greeting'); new WebSocket('${base}/refused')`
  }),

  '/spa': page(
    'First view',
    `setTimeout(() => { history.pushState(null, '', '/spa/second'); document.title = 'Second view' }, 50)
    setTimeout(() => { document.title = 'Third title' }, 200)`,
  ),
}
