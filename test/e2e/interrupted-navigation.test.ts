import { expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { connectApi } from '../support/connect-api.ts'
import { startHeldSite } from '../support/site-held.ts'
import { withApp } from '../support/with-app.ts'

/**
 * Navigates away, without a user gesture, while the step's own navigation is pending. The browser answers the question
 * after it has refused that; before, a response to the step's own navigation would let it through.
 */
const MOVES_ON = `<script>fetch('/held/moves-on').then(async () => {
  location = '/rival'
  await navigator.permissions.query({ name: 'geolocation' })
  fetch('/held/moved-on') })</script>`
/** Delays the browser's next document until the page itself has started a navigation. */
const BUSY = `<script>fetch('/held/busy').then(() => {
  const request = new XMLHttpRequest()
  request.open('GET', '/held/done', false)
  request.send()
  location = '/rival' })</script>`

const { tabwire, site, start, terminate } = withApp(() =>
  startHeldSite({
    '/moves-on': MOVES_ON,
    '/busy': BUSY,
    '/link': `<a style="position: fixed; inset: 0">elsewhere</a>
      <script>document.querySelector('a').href = location.search.slice(1)</script>`,
    '/unfinished': '<img src="/held/picture">',
  }),
)
const { run } = actionApi(tabwire)
const { cdpUrlOf } = connectApi(tabwire)

const open = async (id: string, path: string, waitUntil = 'LOAD') => {
  // The maximum: a step that waits in vain visibly hangs.
  const [step] = await run(id, [{ navigate: { url: `${site().url}${path}`, waitUntil, timeoutMs: 120_000 } }])
  const { finalUrl } = step!.details
  return {
    code: step!.error?.code ?? 'DONE',
    message: step!.error?.message,
    at: String(finalUrl).replace(site().url, ''),
  }
}

async function attachTo(id: string) {
  const client = await CdpSocket.connect(await cdpUrlOf(id))
  const { sessionId } = await client.attachToPage()
  return { client, sessionId }
}

test('a step is done where the page asks in vain for another document before its own arrives', async () => {
  const { id } = await start({})
  await open(id, '/moves-on')
  const step = open(id, '/held/own')
  await site().asked('/held/own')
  site().release('/held/moves-on')
  await site().asked('/held/moved-on')
  site().release('/held/own')
  expect(await step).toMatchObject({ code: 'DONE', at: '/held/own' })
  await terminate(id)
})

test('a step whose document is replaced by one that the page before had asked for says where the page is, and can be run again', async () => {
  const { id } = await start({})
  await open(id, '/busy')
  const { client, sessionId } = await attachTo(id)
  await client.send('Network.enable', {}, sessionId)
  site().release('/held/busy')
  await site().asked('/held/done')
  const step = open(id, '/unfinished')
  // The previous page is busy, so the browser has the response, but cannot show it.
  await client.event(({ method, params }) => {
    const { response } = (params ?? {}) as { response?: { url: string } }
    return method === 'Network.responseReceived' && response?.url === `${site().url}/unfinished`
  })
  site().release('/held/done')
  const said = await step
  expect(said).toMatchObject({ code: 'NAVIGATION_INTERRUPTED', at: '/rival' })
  expect(said.message).toContain(`${site().url}/rival`)
  expect(await open(id, '/unfinished', 'COMMIT')).toMatchObject({ code: 'DONE', at: '/unfinished' })
  await client[Symbol.asyncDispose]()
  await terminate(id)
})

for (const rival of ['/held/rival', 'about:blank']) {
  test(`so does one that is canceled by a click, once ${rival} is shown`, async () => {
    const { id } = await start({})
    await open(id, `/link?${rival}`)
    // Before a page has been rendered, no input can hit anything on it.
    const drawn = 'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(1))))'
    await run(id, [{ evaluate: { expression: drawn } }])
    const { client, sessionId } = await attachTo(id)
    const own = `/held/canceled-by-${rival.length}`
    const step = open(id, own)
    await site().asked(own)
    for (const type of ['mousePressed', 'mouseReleased']) {
      const event = { type, x: 50, y: 50, button: 'left', clickCount: 1 }
      await client.send('Input.dispatchMouseEvent', event, sessionId)
    }
    if (rival.startsWith('/')) {
      await site().asked(rival)
      site().release(rival)
    }
    expect(await step).toMatchObject({ code: 'NAVIGATION_INTERRUPTED', at: rival })
    await client[Symbol.asyncDispose]()
    await terminate(id)
  })
}

test('a step whose rival is replaced, too, ends once the last one is shown', async () => {
  const { id } = await start({})
  const { client, sessionId } = await attachTo(id)
  const step = open(id, '/held/twice-replaced')
  await site().asked('/held/twice-replaced')
  const rivals = ['/held/first-rival', '/held/second-rival']
  for (const rival of rivals) {
    void client.ask('Page.navigate', { url: `${site().url}${rival}` }, sessionId)
    await site().asked(rival)
  }
  site().release('/held/second-rival')
  expect(await step).toMatchObject({ code: 'NAVIGATION_INTERRUPTED', at: '/held/second-rival' })
  await client[Symbol.asyncDispose]()
  await terminate(id)
})
