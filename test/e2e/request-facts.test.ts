import { expect, test } from 'vitest'
import { startExchangeSite } from '../support/site-exchanges.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

/** Data of requests, besides bodies, that DevTools shows. */

const PIXEL = Buffer.from('R0lGODlhAQABAAAAACw=', 'base64')
const keep = { 'cache-control': 'max-age=600' }
const ASKED = `<link rel="icon" href="data:,"><script>console.log('asked')</script>`
const WORKER = `onfetch = (event) => {
  if (event.request.url.endsWith('/stale')) event.respondWith(new Response('old copy'))
}
oninstall = () => skipWaiting()
onactivate = (event) => event.waitUntil(clients.claim())`

const { tabwire, site, start, terminate } = withApp(() =>
  startExchangeSite((other) => ({
    '/origins': (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<link rel="icon" href="data:,">
        <img src="/pixel"><iframe src="/inner"></iframe><script>
function ask() {
  return fetch('${other()}/guarded', { headers: { 'x-own': '1' } })
}
async function begin() {
  await ask().catch(() => {})
  console.log('asked')
}
onload = begin
</script>`),
    '/pixel': (response) => response.writeHead(200, { 'content-type': 'image/gif' }).end(PIXEL),
    '/inner': `<script>fetch('/from-frame')</script>`,
    '/from-frame': (response) =>
      response.writeHead(418, 'Short And Stout', { 'content-type': 'text/x-tea; a=b' }).end('tea'),
    '/guarded': (response) => {
      const allowed = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'x-own' }
      response.writeHead(200, { 'content-type': 'text/plain', ...allowed }).end('guarded')
    },
    '/sources': `<script>
      const controlled = new Promise((resolve) => { navigator.serviceWorker.oncontrollerchange = resolve })
      const ask = async (path) => (await fetch(path)).text()
      onload = async () => {
        await ask('/kept').then(() => ask('/kept'))
        await navigator.serviceWorker.register('/worker.js')
        await controlled
        await ask('/stale')
        console.log('asked')
      }
    </script>`,
    '/kept': (response) => response.writeHead(200, { 'content-type': 'text/plain', ...keep }).end('kept'),
    '/worker.js': (response) => response.writeHead(200, { 'content-type': 'text/javascript' }).end(WORKER),
    '/cookies': (response) => {
      const lines = [
        'a=1; SameSite=None',
        'b=2; Domain=elsewhere.test',
        'c=3=4; Path=/; Max-Age=60; HttpOnly; SameSite=Lax',
        'd=5; Path=/elsewhere',
      ]
      response.setHeader('set-cookie', lines).setHeader('content-type', 'text/html')
        .end(`<link rel="icon" href="data:,"><script>
          fetch('/none').then(() => fetch('${other()}/none', { mode: 'no-cors', credentials: 'include' }))
            .then(() => console.log('asked'))
        </script>`)
    },
    '/none': (response) => response.writeHead(204).end(),
    '/many': (response) => {
      const lines = Array.from({ length: 150 }, (_, index) => `n${index}=${'v'.repeat(10)}`)
      response.setHeader('set-cookie', lines).setHeader('content-type', 'text/html').end(ASKED)
    },
  })),
)

const FIELDS = `id url method status statusText mimeType protocol priority servedBy fromCache isNavigation
  frame { frameId url } initiator { type location { url line column } stack requestId }
  cookiesSent { ...cookie } cookiesSet { ...cookie } cookiesOmitted`
const COOKIE = `... on RequestCookie { name value domain path expiresAt httpOnly secure sameSite blockedReasons exemptionReason }`

interface Cookie {
  name: string
  value: string
  blockedReasons: string[]
  expiresAt: string | null
}

interface Request {
  id: string
  url: string
  method: string
  servedBy: string | null
  frame: { frameId: string; url: string } | null
  initiator: { type: string; stack: string | null; requestId: string | null } | null
  cookiesSent: Cookie[] | null
  cookiesSet: Cookie[] | null
  cookiesOmitted: number
}

/** The requests of a page once it reports that it has sent all. */
async function visit(path: string): Promise<(path: string) => Request[]> {
  const { id } = await start({ initialPrompt: `${site().url}${path}` })
  const said = () => readEntireLog<{ text: string }>(tabwire(), id, 'text', { connection: 'consoleMessages' })
  await expect.poll(said).toContainEqual({ text: 'asked' })
  const counts = `query ($id: ID!) { session(id: $id) { pendingRequestCount } }`
  await expect.poll(() => tabwire().query(counts, { id })).toEqual({ session: { pendingRequestCount: 0 } })
  // By then all pending entries are written.
  await terminate(id)
  const fields = FIELDS.replaceAll('...cookie', COOKIE)
  const all = await readEntireLog<Request>(tabwire(), id, fields, { connection: 'networkRequests' })
  return (wanted) => all.filter(({ url }) => new URL(url).pathname === wanted)
}

test('who asked for a request, from where, and of what it is', async () => {
  const to = await visit('/origins')
  const [page] = to('/origins')
  const pageUrl = `${site().url}/origins`
  expect(page).toMatchObject({ isNavigation: true, priority: 'VERY_HIGH', mimeType: 'text/html', protocol: 'http/1.1' })
  expect(page).toMatchObject({ initiator: { type: 'OTHER', location: null, stack: null, requestId: null } })
  expect(to('/pixel')).toMatchObject([
    { initiator: { type: 'PARSER', location: { url: pageUrl, line: 2 } }, mimeType: 'image/gif', isNavigation: false },
  ])
  const asked = to('/guarded').find(({ method }) => method === 'GET')!
  expect(asked).toMatchObject({ initiator: { type: 'SCRIPT', location: { url: pageUrl, line: 4, column: 10 } } })
  expect(asked.initiator!.stack!.split('\n')).toMatchObject([
    expect.stringContaining(`at ask (${pageUrl}:4:10)`),
    expect.stringContaining(`at begin (${pageUrl}:7:9)`),
  ])
  const preflight = to('/guarded').find(({ method }) => method === 'OPTIONS')
  expect(preflight).toMatchObject({ initiator: { type: 'PREFLIGHT', requestId: asked.id } })
  const [inner, fromFrame] = [to('/inner')[0]!, to('/from-frame')[0]!]
  expect(inner).toMatchObject({ isNavigation: true, frame: { url: `${site().url}/inner` } })
  const tea = { status: 418, statusText: 'Short And Stout', mimeType: 'text/x-tea', servedBy: 'NETWORK' }
  expect(fromFrame).toMatchObject({ ...tea, frame: inner.frame })
  expect(page!.frame).toMatchObject({ url: pageUrl })
  expect(page!.frame!.frameId).not.toBe(inner.frame!.frameId)
})

test('who responded', async () => {
  const to = await visit('/sources')
  expect(to('/sources')).toMatchObject([{ servedBy: 'NETWORK', fromCache: false }])
  expect(to('/kept').map(({ servedBy }) => servedBy)).toEqual(['NETWORK', 'DISK_CACHE'])
  expect(to('/stale')).toMatchObject([
    { servedBy: 'SERVICE_WORKER', fromCache: true, frame: { url: `${site().url}/sources` } },
  ])
})

test('cookies that are sent and set, and why one is not', async () => {
  const to = await visit('/cookies')
  const [page] = to('/cookies')
  expect(page!.cookiesSent).toEqual([])
  const bare = { httpOnly: false, secure: false, exemptionReason: null }
  expect(page!.cookiesSet).toMatchObject([
    { ...bare, name: 'a', value: '1', sameSite: 'NONE', blockedReasons: ['SameSiteNoneInsecure'] },
    { ...bare, name: 'b', value: '2', domain: 'elsewhere.test', blockedReasons: ['InvalidDomain'] },
    { name: 'c', value: '3=4', path: '/', httpOnly: true, sameSite: 'LAX', blockedReasons: [] },
    { ...bare, name: 'd', value: '5', path: '/elsewhere', sameSite: null, expiresAt: null, blockedReasons: [] },
  ])
  expect(page!.cookiesSet![2]!.expiresAt).not.toBeNull()
  const [own, other] = to('/none')
  const c = { name: 'c', value: '3=4', domain: '127.0.0.1' }
  expect(own!.cookiesSent).toMatchObject([
    { ...c, blockedReasons: [] },
    { name: 'd', blockedReasons: ['NotOnPath'] },
  ])
  // Another site has none of them.
  expect(other!.cookiesSent).toEqual([])
})

test('of more cookies than are kept, the others are counted', async () => {
  const to = await visit('/many')
  expect(to('/many')).toMatchObject([{ cookiesOmitted: 50 }])
  expect(to('/many')[0]!.cookiesSet).toHaveLength(100)
})
