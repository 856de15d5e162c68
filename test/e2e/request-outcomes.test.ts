import { expect, test } from 'vitest'
import { startExchangeSite } from '../support/site-exchanges.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

/** Outcomes of requests in the log, compared with the actions of server and page. */

const streams = (type: string) => ({ 'content-type': type, 'x-stream': 'yes' })

const next = Promise.withResolvers<void>()

const { tabwire, site, start, recorded, terminate } = withApp(() =>
  startExchangeSite((other) => ({
    '/hidden': (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(
        `<link rel="icon" href="data:,"><script>
          const ask = (path, init) => fetch('${other()}' + path, init).catch(() => {})
          const image = new Image()
          ask('/orders').then(() => ask('/guarded', { headers: { 'x-own': '1' } })).then(() => ask('/moved'))
            .then(() => { image.onerror = () => console.log('asked'); image.src = '${other()}/own-image' })
        </script>`,
      ),
    '/orders': (response) =>
      response.writeHead(500, { 'x-request-id': 'r-1', 'content-type': 'application/json' }).end('{}'),
    '/guarded': (response) => response.writeHead(403).end(),
    '/moved': (response) => response.writeHead(302, { location: '/orders', 'access-control-allow-origin': '*' }).end(),
    '/own-image': (response) =>
      response
        .writeHead(503, { 'cross-origin-resource-policy': 'same-origin', 'content-type': 'image/png' })
        .end('no image'),
    '/left': `<a href="/next" ping="/ping">go</a><script>
      new XMLHttpRequest().open('GET', '/held-script')
      const request = new XMLHttpRequest(); request.open('GET', '/held-xhr'); request.send()
      addEventListener('beforeunload', () => {
        navigator.sendBeacon('/beacon', 'x')
        navigator.sendBeacon('/moved-beacon', 'x')
        fetch('/keepalive', { method: 'POST', keepalive: true, body: 'y' })
      })
    </script>`,
    '/next': (response) => {
      void next.promise.then(() => response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Next</title>'))
    },
    '/ping': null,
    '/beacon': null,
    '/keepalive': null,
    '/held-xhr': null,
    '/moved-beacon': (response) => response.writeHead(307, { location: '/beacon-target' }).end(),
    '/beacon-target': null,
    '/opener': '<title>Opener</title><button onclick="window.open(\'/callback\')">sign in</button>',
    '/callback': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<script>close()</script>'),
    '/closing': `<script>
      navigator.sendBeacon('/beacon', 'x')
      fetch('/keepalive', { method: 'POST', keepalive: true, body: 'y' })
      const request = new XMLHttpRequest(); request.open('GET', '/held-xhr'); request.send()
    </script>`,
    '/framed': `<iframe src="/closing"></iframe>`,
    '/streams': `<script>
      new EventSource('/events').onmessage = ({ data }) => console.log('event ' + data)
      fetch('/chat', { method: 'POST', body: 'hi' }).then(({ status }) => console.log('chat ' + status))
    </script>`,
    '/events': (response) => response.writeHead(200, streams('text/event-stream')).write('data: one\n\n'),
    '/chat': (response) => response.writeHead(201, streams('application/x-ndjson')).write('{"part": 1}\n'),
    '/saves': `<script>
      fetch('/saved', { method: 'POST' }).then(() => console.log('saved'))
      const canceled = new AbortController()
      fetch('/held-fetch', { signal: canceled.signal }).catch(() => console.log('canceled'))
      setTimeout(() => canceled.abort(), 50)
    </script>`,
    // In chunks, none of which comes: the page does not read the body.
    '/saved': (response) => response.writeHead(201).end(),
    '/held-fetch': null,
  })),
)

interface Request {
  url: string
  method: string
  status: number | null
  outcome: string
  failure: string | null
  responseHeaders: Record<string, string> | null
  requestBytes: number | null
  redirectedFrom: string | null
}

const FIELDS = 'url method status outcome failure responseHeaders requestBytes redirectedFrom'

async function requestsTo(id: string, path: string): Promise<Request[]> {
  const all = await readEntireLog<Request>(tabwire(), id, FIELDS, { connection: 'networkRequests' })
  return all.filter(({ url }) => new URL(url).pathname === path)
}

const act = (id: string, actions: string, page = 'p1') =>
  tabwire().query(
    `mutation ($id: ID!, $page: ID!) { runActions(sessionId: $id, pageId: $page, actions: [${actions}]) { success } }`,
    { id, page },
  )

async function pendingUrls(id: string): Promise<string[]> {
  const query = `query ($id: ID!) { session(id: $id) { pendingRequests { url } } }`
  const { session } = await tabwire().query<{ session: { pendingRequests: { url: string }[] } }>(query, { id })
  return session.pendingRequests.map(({ url }) => url)
}

async function isHeld(...paths: string[]): Promise<void> {
  await expect.poll(() => paths.filter((path) => site().held(path) === 0)).toEqual([])
}

test('a response that the page must not see has its status and headers all the same', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/hidden` })
  await expect.poll(() => requestsTo(id, '/own-image')).toHaveLength(1)
  const hidden = { status: 500, outcome: 'BLOCKED', responseHeaders: { 'x-request-id': 'r-1' } }
  const cors = { ...hidden, failure: expect.stringMatching(/CORS: MissingAllowOriginHeader/) }
  await recorded(id)
  expect(await requestsTo(id, '/orders')).toMatchObject([cors, { ...cors, redirectedFrom: `${site().otherUrl}/moved` }])
  const guarded = await requestsTo(id, '/guarded')
  expect(guarded.find(({ method }) => method === 'OPTIONS')).toMatchObject({ status: 403, outcome: 'COMPLETED' })
  expect(guarded.find(({ method }) => method === 'GET')).toMatchObject({ status: null, outcome: 'BLOCKED' })
  expect(await requestsTo(id, '/own-image')).toMatchObject([{ status: 503, outcome: 'BLOCKED' }])
  await terminate(id)
})

test('what a page sends while it is left has the outcome that the network tells', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/left` })
  const clicked = act(id, `{ click: { target: { css: "a" } } }`)
  const paths = ['/beacon', '/ping', '/keepalive', '/beacon-target']
  await isHeld(...paths)
  // What a renderer has not reported when its page is replaced is lost (docs/log.md, "Known gaps").
  for (const path of ['beacon', 'ping', 'keepalive', '(moved-beacon|beacon-target)'])
    await expect.poll(() => pendingUrls(id)).toContainEqual(expect.stringMatching(`/${path}$`))
  next.resolve()
  await clicked
  await expect.poll(() => requestsTo(id, '/next')).toHaveLength(1)
  // At once: the browser gives them up half a minute after their page was left.
  for (const path of paths) {
    expect(await requestsTo(id, path)).toEqual([])
    site().release(path)
    const delivered = { status: 204, outcome: 'COMPLETED', failure: null, responseHeaders: { 'x-late': 'yes' } }
    await expect.poll(() => requestsTo(id, path)).toMatchObject([delivered])
  }
  const [target] = await requestsTo(id, '/beacon-target')
  expect(target?.redirectedFrom).toBe(`${site().url}/moved-beacon`)
  // Aborted by the browser without an event.
  await expect.poll(() => requestsTo(id, '/held-xhr')).toMatchObject([{ outcome: 'CANCELED', status: null }])
  // Later tests wait for one of their own.
  site().release('/held-xhr')
  await terminate(id)
})

test.each([
  ['page', '/closing', '{ closePage: {} }'],
  ['frame', '/framed', `{ evaluate: { expression: "document.querySelector('iframe').remove()" } }`],
])('nothing is invented of what a %s had sent when it was closed', async (_, path, close) => {
  const { id } = await start({ initialPrompt: `${site().url}${path}` })
  await isHeld('/beacon', '/keepalive', '/held-xhr')
  await act(id, close)
  for (const sent of ['/beacon', '/keepalive']) {
    await expect.poll(() => requestsTo(id, sent)).toMatchObject([{ outcome: 'UNKNOWN', failure: null, status: null }])
  }
  await expect.poll(() => requestsTo(id, '/held-xhr')).toMatchObject([{ outcome: 'CANCELED' }])
  for (const held of ['/beacon', '/keepalive', '/held-xhr']) site().release(held)
  await terminate(id)
})

test('a page that closes itself once it is there has not failed', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/opener` })
  await act(id, `{ click: { target: { css: "button" } } }`)
  const well = { status: 200, outcome: 'COMPLETED', failure: null }
  await expect.poll(() => requestsTo(id, '/callback')).toMatchObject([well])
  await terminate(id)
})

test('an empty response that no script reads has not failed, and a fetch that a script cancels was canceled', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/saves` })
  const saved = { status: 201, outcome: 'COMPLETED', failure: null }
  await expect.poll(() => requestsTo(id, '/saved')).toMatchObject([saved])
  const canceled = { status: null, outcome: 'CANCELED', failure: 'net::ERR_ABORTED' }
  await expect.poll(() => requestsTo(id, '/held-fetch')).toMatchObject([canceled])
  await terminate(id)
})

test('a stream is visible while it streams, and what had come is kept when the session ends', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/streams` })
  const query = `query ($id: ID!) { session(id: $id) { pendingRequests { url status responseHeaders responseBytes } } }`
  interface Pending {
    session: {
      pendingRequests: { url: string; status: number | null; responseHeaders: object; responseBytes: number }[]
    }
  }
  const pending = async (path: string) => {
    const { session } = await tabwire().query<Pending>(query, { id })
    return session.pendingRequests.filter(({ url }) => url.endsWith(path))
  }
  const responseHeaders = { 'x-stream': 'yes' }
  await expect.poll(() => pending('/events')).toMatchObject([{ status: 200, responseHeaders, responseBytes: 11 }])
  await expect.poll(() => pending('/chat')).toMatchObject([{ status: 201, responseHeaders, responseBytes: 12 }])
  await terminate(id)
  const cut = { outcome: 'CUT_BY_END', failure: 'session ended', responseHeaders }
  expect(await requestsTo(id, '/events')).toMatchObject([{ ...cut, status: 200 }])
  expect(await requestsTo(id, '/chat')).toMatchObject([{ ...cut, status: 201, requestBytes: 2 }])
})

test('requests are found by their outcome, and what the end of the session cut counts as no failure', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/streams` })
  await expect.poll(() => requestsTo(id, '/streams')).toHaveLength(1)
  await act(id, `{ evaluate: { expression: "fetch('/missing').then((response) => response.text())" } }`)
  await expect.poll(() => requestsTo(id, '/missing')).toHaveLength(1)
  await terminate(id)
  const found = async (filter: string) => {
    const part = { connection: 'networkRequests', only: `filter: { ${filter} }` } as const
    const requests = await readEntireLog<{ url: string }>(tabwire(), id, 'url', part)
    return requests.map(({ url }) => new URL(url).pathname).sort()
  }
  expect(await found('outcomes: [CUT_BY_END]')).toEqual(['/chat', '/events'])
  expect(await found('outcomes: [COMPLETED, FAILED]')).toEqual(['/missing', '/streams'])
  expect(await found('outcomes: []')).toEqual([])
  expect(await found('failedOnly: true')).toEqual(['/missing'])
})
