import { chromium, type Browser } from 'playwright'
import { describe, expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { ofKind, type LoggedEntry } from '../support/connect-api.ts'
import { startOptionsSite } from '../support/site-options.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, get, cdpUrlOf, untilLogged } = withApp(startOptionsSite, { warmBrowsers: 1 })
const { run } = actionApi(tabwire)

/** Result of a script in a page of the session. */
async function evaluate(id: string, expression: string, pageId: string | null = null): Promise<unknown> {
  const [step] = await run(id, [{ evaluate: { expression } }], pageId)
  expect(step!.error).toBeNull()
  return step!.result
}

/** Opens a page from the first one, and returns its id. */
async function popup(id: string, url = `${site().url}/`, features = ''): Promise<string> {
  const before = (await get(id))!.pages.length
  await evaluate(id, `void open(${JSON.stringify(url)}, '_blank', '${features}')`)
  await expect.poll(async () => (await get(id))!.pages.length).toBe(before + 1)
  const pageId = (await get(id))!.pages.at(-1)!.id
  await expect.poll(() => evaluate(id, 'document.title', pageId)).toBe('Page')
  return pageId
}

/** Until it has left, and the session has its own options again. */
async function withClient<T>(id: string, work: (browser: Browser) => Promise<T>): Promise<T> {
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
  try {
    return await work(browser)
  } finally {
    await browser.close()
    const countOf = (log: LoggedEntry[], kind: string) => ofKind(log, kind).length
    await untilLogged(id, (log) => countOf(log, 'ClientDetached') === countOf(log, 'ClientAttached'))
  }
}

const OPTIONS = {
  viewport: { width: 400, height: 600 },
  colorScheme: 'DARK',
  reducedMotion: 'REDUCE',
  deviceScaleFactor: 2.5,
  isMobile: true,
  hasTouch: true,
  geolocation: { latitude: 47.25, longitude: -8.5, accuracy: 12.5 },
  permissions: ['GEOLOCATION', 'NOTIFICATIONS'],
}

const WITH = {
  dark: true,
  reduced: true,
  scale: 2.5,
  // Layout width of a page without a viewport meta tag, on a phone.
  width: 980,
  touch: true,
  geolocation: 'granted',
  notifications: 'granted',
  camera: 'denied',
  position: [47.25, -8.5, 12.5],
}
const WITHOUT = { dark: false, reduced: false, scale: 1, width: 1920, touch: false }

const PLACES: [string, (id: string) => Promise<unknown>][] = [
  ['the first page', (id) => evaluate(id, 'seen()')],
  ['a popup', async (id) => evaluate(id, 'seen()', await popup(id))],
  ['a popup without an opener', async (id) => evaluate(id, 'seen()', await popup(id, undefined, 'noopener'))],
  ['a popup of another site', async (id) => evaluate(id, 'seen()', await popup(id, `http://localhost:${portOf()}/`))],
  [
    'the first page, as a client sees it',
    (id) => withClient(id, (browser) => browser.contexts()[0]!.pages()[0]!.evaluate('seen()')),
  ],
  [
    'a page that a client opens',
    (id) =>
      withClient(id, async (browser) => {
        const page = await browser.contexts()[0]!.newPage()
        await page.goto(`${site().url}/`)
        return page.evaluate('seen()')
      }),
  ],
  [
    'a popup of a page that a client opens',
    (id) =>
      withClient(id, async (browser) => {
        const page = await browser.contexts()[0]!.newPage()
        await page.goto(`${site().url}/`)
        const [opened] = await Promise.all([page.waitForEvent('popup'), page.evaluate(`void open('/')`)])
        await opened.waitForLoadState()
        return opened.evaluate('seen()')
      }),
  ],
  ['the first page, once clients have left', (id) => evaluate(id, 'seen()', 'p1')],
]

const portOf = () => new URL(site().url).port

describe('the options of a session hold in', () => {
  test.each(PLACES)('%s', async (_, look) => {
    const { id } = await start({ ...OPTIONS, initialPrompt: `${site().url}/` }, 'LOADED')
    await withClient(id, () => Promise.resolve())
    expect(await look(id)).toEqual(WITH)
    await terminate(id)
  })

  test('workers, as far as they are told of them', async () => {
    const { id } = await start({ ...OPTIONS, initialPrompt: `${site().url}/` }, 'LOADED')
    const reported = { geolocation: 'granted', online: true, fetched: 200 }
    expect(await evaluate(id, `askWorkers('/text')`)).toEqual({ worker: reported, shared: reported, service: reported })
    await terminate(id)
  })
})

test('without options, pages are told what they always were', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/` }, 'LOADED')
  expect(await evaluate(id, 'seen()')).toMatchObject(WITHOUT)
  await terminate(id)
})

/** Results of requests from everything that has its own network stack. */
async function reach(id: string, url: string, places = { first: 'p1', popup: '' }) {
  const { worker, shared, service } = (await evaluate(id, `askWorkers('${url}')`)) as Record<
    string,
    { fetched: unknown }
  >
  return {
    page: await evaluate(id, `fetched('${url}')`, places.first),
    popup: await evaluate(id, `fetched('${url}')`, places.popup),
    worker: worker!.fetched,
    shared: shared!.fetched,
    service: service!.fetched,
  }
}

const everyone = (outcome: unknown) => ({
  page: outcome,
  popup: outcome,
  worker: outcome,
  shared: outcome,
  service: outcome,
})

const WAYS: [string, object][] = [
  ['directly', {}],
  ['through the proxy of a session that is narrowed', { allowedHosts: ['127.0.0.1'] }],
]

describe.each(WAYS)('a certificate that nobody has signed, %s', (_, way) => {
  test('is accepted with ignoreHttpsErrors, by pages, popups, clients, workers and WebSockets', async () => {
    const { id } = await start({ ...way, ignoreHttpsErrors: true, initialPrompt: `${site().url}/` }, 'LOADED')
    // Workers first: once a page has accepted it, the browser accepts it everywhere.
    const places = { first: 'p1', popup: await popup(id, undefined, 'noopener') }
    expect(await reach(id, `${site().secure}/`, places)).toEqual(everyone(200))
    expect(await evaluate(id, `socket('${site().secure.replace('https', 'wss')}/')`)).toBe('open')
    const title = await withClient(id, async (browser) => {
      const page = await browser.contexts()[0]!.newPage()
      await page.goto(`${site().secure}/`)
      return page.title()
    })
    expect(title).toBe('Page')
    await terminate(id)
  })

  test('is refused without', async () => {
    const { id } = await start({ ...way, initialPrompt: `${site().url}/` }, 'LOADED')
    const [step] = await run(id, [{ navigate: { url: `${site().secure}/` } }])
    expect(step!.error?.message).toContain('net::ERR_CERT_AUTHORITY_INVALID')
    await run(id, [{ navigate: { url: `${site().url}/` } }])
    const places = { first: 'p1', popup: await popup(id) }
    expect(await reach(id, `${site().secure}/`, places)).toEqual(everyone('failed'))
    expect(await evaluate(id, `socket('${site().secure.replace('https', 'wss')}/')`)).toBe('failed')
    await terminate(id)
  })
})

describe('a session that is offline', () => {
  const setOffline = async (id: string, offline: boolean) => {
    const query = `mutation ($id: ID!, $input: UpdateSessionInput!) { updateSession(id: $id, input: $input) { offline } }`
    expect(await tabwire().query(query, { id, input: { offline } })).toEqual({ updateSession: { offline } })
  }

  test('has no network in pages, popups and workers, also once a client has left, until it is online again', async () => {
    const { id } = await start({ initialPrompt: `${site().url}/` }, 'LOADED')
    const places = { first: 'p1', popup: await popup(id) }
    expect(await reach(id, '/', places)).toEqual(everyone(200))
    await setOffline(id, true)
    expect(await reach(id, '/', places)).toEqual(everyone('failed'))
    expect(await evaluate(id, 'navigator.onLine')).toBe(false)
    await withClient(id, async (browser) => {
      const context = browser.contexts()[0]!
      const page = context.pages()[0]!
      expect(await page.evaluate(`fetched('/')`)).toBe('failed')
      const online = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 }
      await (await context.newCDPSession(page)).send('Network.emulateNetworkConditions', online)
      // A client cannot give it one.
      expect(await page.evaluate(`fetched('/')`)).toBe('failed')
    })
    await expect.poll(() => reach(id, '/', places)).toEqual(everyone('failed'))
    const [step] = await run(id, [{ openPage: { url: `${site().url}/` } }])
    expect(step!.error?.message).toContain('net::ERR_INTERNET_DISCONNECTED')
    await setOffline(id, false)
    expect(await reach(id, '/', places)).toEqual(everyone(200))
    await terminate(id)
  })

  test('is offline also in pages beside one that hangs, which is when it answers again', async () => {
    const { id } = await start({ initialPrompt: `${site().url}/` }, 'LOADED')
    const beside = await popup(id, `${site().elsewhere}/`, 'noopener')
    await evaluate(
      id,
      `setTimeout(() => { const end = performance.now() + 6_000; while (performance.now() < end); }), 1`,
    )
    await setOffline(id, true)
    expect(await evaluate(id, `fetched('/')`, beside)).toBe('failed')
    expect(await evaluate(id, `fetched('/')`, 'p1')).toBe('failed')
    await terminate(id)
  })

  test('from its beginning cannot open a page, and can once it is online', async () => {
    const { id } = await start({ offline: true, initialPrompt: `${site().url}/` }, 'LOADED')
    const query = `query ($id: ID!) { session(id: $id) { offline lastNavigationError { message } } }`
    expect(await tabwire().query(query, { id })).toEqual({
      session: {
        offline: true,
        lastNavigationError: { message: expect.stringContaining('net::ERR_INTERNET_DISCONNECTED') as string },
      },
    })
    await setOffline(id, false)
    const [step] = await run(id, [{ navigate: { url: `${site().url}/` } }])
    expect(step!.error).toBeNull()
    await terminate(id)
  })
})

test('what was asked for can be read again, as what was not', async () => {
  const fields = `ignoreHttpsErrors geolocation { latitude longitude accuracy } permissions colorScheme reducedMotion
    deviceScaleFactor isMobile hasTouch offline viewport { width height }`
  const query = `query ($id: ID!) { session(id: $id) { ${fields} } }`
  const asked = { ...OPTIONS, ignoreHttpsErrors: true, offline: true }
  const { id } = await start(asked)
  expect(await tabwire().query(query, { id })).toEqual({ session: asked })
  await terminate(id)
  const other = await start()
  const nothing = { geolocation: null, permissions: null, colorScheme: null, reducedMotion: null, deviceScaleFactor: 1 }
  const flags = { ignoreHttpsErrors: false, isMobile: false, hasTouch: false, offline: false }
  expect(await tabwire().query(query, { id: other.id })).toEqual({
    session: { ...nothing, ...flags, viewport: { width: 1920, height: 1080 } },
  })
  await terminate(other.id)
})

test('pictures have the pixels of the scale; one that would have too many is refused before it is taken', async () => {
  const { id } = await start(
    { viewport: { width: 100, height: 100 }, deviceScaleFactor: 10, initialPrompt: `${site().url}/` },
    'LOADED',
  )
  const [visible] = await run(id, [{ screenshot: {} }])
  expect(visible!.error).toBeNull()
  // 2400 by 2400 CSS pixels fit, but not with a hundred device pixels each.
  await evaluate(id, `void (document.body.style.cssText = 'width: 2400px; height: 2400px')`)
  const [whole] = await run(id, [{ screenshot: { fullPage: true } }])
  expect(whole!.error).toMatchObject({ code: 'NOT_ACTIONABLE' })
  const [element] = await run(id, [{ screenshot: { target: { css: 'body' } } }])
  expect(element!.error).toMatchObject({ code: 'NOT_ACTIONABLE' })
  const [resized] = await run(id, [{ setViewport: { width: 4000, height: 4000 } }])
  expect(resized!.error).toMatchObject({ code: 'INVALID_INPUT' })
  await terminate(id)
})

test('every permission is one that the browser knows', async () => {
  const query = `{ __type(name: "BrowserPermission") { enumValues { name } } }`
  const { __type: type } = await tabwire().query<{ __type: { enumValues: { name: string }[] } }>(query)
  const permissions = type.enumValues.map(({ name }) => name)
  expect(permissions).toContain('SCREEN_WAKE_LOCK')
  const { id, status } = await start({ permissions })
  expect(status).toBe('RUNNING')
  await terminate(id)
})

test('a client that changes the options has its own, and the session has its own again once it has left', async () => {
  const { id } = await start({ ...OPTIONS, initialPrompt: `${site().url}/` }, 'LOADED')
  const seen = async () => (await evaluate(id, 'seen()')) as typeof WITH
  await withClient(id, async (browser) => {
    const context = browser.contexts()[0]!
    const page = context.pages()[0]!
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' })
    await context.clearPermissions()
    await context.grantPermissions(['camera'])
    const client = await context.newCDPSession(page)
    const metrics = { width: 500, height: 500, deviceScaleFactor: 1, mobile: false }
    await client.send('Emulation.setDeviceMetricsOverride', metrics)
    const theirs = { dark: false, reduced: false, scale: 1, width: 500, camera: 'granted', geolocation: 'denied' }
    await expect.poll(seen).toMatchObject(theirs)
  })
  await expect.poll(seen).toEqual(WITH)
  await terminate(id)
})
