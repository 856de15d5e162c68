import { chromium, type CDPSession } from 'playwright'
import { expect, test } from 'vitest'
import { startPagesSite } from '../support/pages-site.ts'
import { openSilentPort } from '../support/silent-port.ts'
import { startUnreachable } from '../support/unreachable.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

/** Resources that a client loads outside of pages, as DevTools loads source maps: the browser emits no events for them. */

const { tabwire, site, start, terminate, get, cdpUrlOf } = withApp(() =>
  startPagesSite({ '/': '<title>Home</title>', '/app.js.map': '{}' }, { '/moved': '/app.js.map' }),
)

const FIELDS = 'url method resourceType status outcome failure pageId responseHeaders bodyOmitted'

async function attach(id: string) {
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
  const page = browser.contexts()[0]!.pages()[0]!
  const session = await page.context().newCDPSession(page)
  const { frameTree } = await session.send('Page.getFrameTree')
  return { browser, session, frameId: frameTree.frame.id }
}

const load = (session: CDPSession, frameId: string, url: string) =>
  session.send('Network.loadNetworkResource', {
    frameId,
    url,
    options: { disableCache: false, includeCredentials: false },
  })

interface Loaded {
  url: string
  status: number | null
  failure: string | null
  [member: string]: unknown
}

const loadsOf = async (id: string) =>
  (await readEntireLog<Loaded>(tabwire(), id, FIELDS, { connection: 'networkRequests' })).filter(
    ({ resourceType }) => resourceType === 'OTHER',
  )

test.each([
  ['without a proxy', {}],
  ['behind one', { allowedHosts: ['127.0.0.1', '127.0.0.2'] }],
])('what a client loads is in the log, and why it could not be, %s', async (_, input) => {
  const { id } = await start({ initialPrompt: `${site().url}/`, ...input }, 'LOADED')
  const { browser, session, frameId } = await attach(id)
  const failing = await startUnreachable()
  const refused = `http://${failing.refused}/app.js.map`
  for (const url of [`${site().url}/app.js.map`, `${site().url}/missing.map`, `${site().url}/moved`, refused]) {
    await load(session, frameId, url)
  }
  // Why one failed, the proxy may tell a moment later: after one that is never opened.
  await expect.poll(() => loadsOf(id)).toHaveLength(4)
  const never = 'http://169.254.169.254/latest'
  await expect(load(session, frameId, never)).rejects.toThrow(/never opened/)
  await expect(load(session, frameId, 'file:///etc/passwd')).rejects.toThrow(/is not served/)
  await expect.poll(() => loadsOf(id)).toHaveLength(5)
  const loads = await loadsOf(id)
  const pageId = (await get(id))!.pages[0]!.id
  expect(loads.map(({ url, status, outcome, failure }) => [url, status, outcome, failure])).toEqual([
    [`${site().url}/app.js.map`, 200, 'COMPLETED', null],
    [`${site().url}/missing.map`, 404, 'COMPLETED', null],
    [`${site().url}/moved`, 200, 'COMPLETED', null],
    [refused, null, 'FAILED', 'net::ERR_CONNECTION_REFUSED'],
    [never, null, 'BLOCKED', 'BLOCKED (cloud metadata)'],
  ])
  expect(loads[0]).toMatchObject({ method: 'GET', pageId, bodyOmitted: 'NOT_CAPTURED' })
  expect(loads[0]!['responseHeaders']).toMatchObject({ 'content-type': 'text/html' })
  await browser.close()
  await terminate(id)
  await failing.close()
})

test('one that has no response yet is pending, and has an end when its client leaves, or the session ends', async () => {
  const silent = await openSilentPort()
  const url = `http://127.0.0.1:${silent.port}/app.js.map`
  const pendingOf = async (id: string) => {
    const query = `query ($id: ID!) { session(id: $id) { pendingRequests { url } } }`
    const { session } = await tabwire().query<{ session: { pendingRequests: { url: string }[] } }>(query, { id })
    return session.pendingRequests.map((pending) => pending.url)
  }
  const { id } = await start({ initialPrompt: `${site().url}/` }, 'LOADED')
  const leaving = await attach(id)
  void load(leaving.session, leaving.frameId, url).catch(() => {})
  await expect.poll(() => pendingOf(id)).toEqual([url])
  await leaving.browser.close()
  await expect.poll(() => pendingOf(id)).toEqual([])
  const staying = await attach(id)
  void load(staying.session, staying.frameId, url).catch(() => {})
  await expect.poll(() => pendingOf(id)).toEqual([url])
  await terminate(id)
  expect((await loadsOf(id)).map(({ outcome, failure }) => [outcome, failure])).toEqual([
    ['UNKNOWN', null],
    ['CUT_BY_END', 'session ended'],
  ])
  await silent.close()
})
