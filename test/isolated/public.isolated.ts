import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { chromium, type Page } from 'playwright'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { actionApi } from '../support/action-api.ts'
import { startPagesSite, type PagesSite } from '../support/pages-site.ts'
import { REACHING_PAGES, WAYS_OF_PAGES } from '../support/site-reach.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'
import { ALLOWED, INWARD, METADATA, OWN, PRIVATE, PUBLIC } from './hosts.ts'

const { tabwire, site, start, get, recorded, terminate, cdpUrlOf } = withApp(
  () => startPagesSite(REACHING_PAGES, { '/redirect': '?to' }, PUBLIC, 80),
  { egress: { mode: 'PUBLIC', allow: ['allowed.test'] } },
)
const { run, logged } = actionApi(tabwire)
/** Listens on every address except that of the site. */
const others = new Map<string, PagesSite>()
const packets: string[] = []
const udp: Socket[] = []
const relays: Server[] = []

beforeAll(async () => {
  const secrets = { '*': '<title>Secrets</title><body>SECRETS' }
  for (const address of [PRIVATE, ALLOWED, METADATA, OWN, '127.0.0.1', '::1', 'fd00:7::7']) {
    others.set(address, await startPagesSite(secrets, {}, address, 80))
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.on('message', () => packets.push(address))
    socket.bind(3478, address)
    await once(socket, 'listening')
    udp.push(socket)
    const relay = createServer((connection) => {
      packets.push(`${address} by TCP`)
      connection.destroy()
    })
    relay.listen(3478, address)
    await once(relay, 'listening')
    relays.push(relay)
  }
})
afterAll(async () => {
  for (const one of [...udp, ...relays]) one.close()
  for (const other of others.values()) await other.close()
})
beforeEach(() => {
  for (const { asked } of others.values()) asked.length = 0
  packets.length = 0
  site().asked.length = 0
})

const reached = () => [...others].flatMap(([address, { asked }]) => asked.map((path) => `${address}${path}`))

test('a session reaches the internet, and what is allowed', async () => {
  const session = await start({ initialPrompt: 'http://public.test/plain' }, 'LOADED')
  const plain = { currentUrl: 'http://public.test/plain', title: 'Plain', error: null }
  await expect.poll(() => get(session.id)).toMatchObject(plain)
  const steps = await run(session.id, [
    { navigate: { url: 'http://allowed.test/' } },
    { evaluate: { expression: 'document.title' } },
  ])
  expect(steps.map(({ result }) => result)).toEqual([null, 'Secrets'])
  await recorded(session.id)
  expect(await addressesOf(session.id)).toEqual([`${PUBLIC}:80`, `${ALLOWED}:80`])
  await terminate(session.id)
})

describe('every way of a page', () => {
  // WebRTC reaches allowed hosts through the proxy, and nothing around it.
  const strays = () => packets.filter((packet) => packet !== `${ALLOWED} by TCP`)

  test('leads to what is allowed', async () => {
    const { id } = await start()
    await attack(id, 'allowed.test')
    const ways = [...WAYS_OF_PAGES].sort()
    await expect.poll(() => [...new Set(others.get(ALLOWED)!.asked.map((path) => path.slice(1)))].sort()).toEqual(ways)
    expect(reached().every((what) => what.startsWith(ALLOWED))).toBe(true)
    await terminate(id)
    expect(strays()).toEqual([])
  })

  test.each([
    ['intranet.test', 'BLOCKED (private address)'],
    [METADATA, 'BLOCKED (cloud metadata)'],
  ])('leads nowhere in the network of the server: %s', async (host, failure) => {
    const { id } = await start()
    await attack(id, host)
    const blocked = async () => (await failuresOf(id)).filter(({ url }) => new URL(url).hostname === host)
    const names = async () => (await blocked()).map(({ url }) => new URL(url).pathname.slice(1))
    // A WebSocket's handshake is no request.
    const ways = WAYS_OF_PAGES.filter((way) => way !== 'web-socket')
    await expect.poll(names).toEqual(expect.arrayContaining(ways))
    expect(reached()).toEqual([])
    expect(new Set((await blocked()).map((request) => request.failure))).toEqual(new Set([failure]))
    await terminate(id)
    expect(strays()).toEqual([])
  })
})

describe('the API, and clients', () => {
  let id: string
  beforeEach(async () => {
    ;({ id } = await start({ initialPrompt: 'http://public.test/plain' }, 'LOADED'))
    return () => terminate(id)
  })

  test('navigate and openPage are BLOCKED, whatever the notation, and say how to allow it', async () => {
    for (const host of INWARD) {
      const [step] = await run(id, [{ navigate: { url: `http://${host}/` } }])
      const said = expect.stringMatching(/TABWIRE_EGRESS|never opened/)
      expect([host, step!.error]).toMatchObject([host, { code: 'BLOCKED', message: said }])
    }
    const [opened] = await run(id, [{ openPage: { url: 'http://intranet.test/' } }])
    expect(opened!.error).toMatchObject({
      code: 'BLOCKED',
      message: expect.stringMatching(/private address.*TABWIRE_EGRESS/),
    })
    const [redirected] = await run(id, [{ navigate: { url: redirectTo('http://intranet.test/') } }])
    expect(redirected!.error).toMatchObject({ code: 'BLOCKED' })
    expect(reached()).toEqual([])
  })

  test('a start is refused or BLOCKED', async () => {
    for (const host of ['10.7.7.7', '[::1]', '0x7f000001', OWN]) {
      const query = `mutation ($url: String) { startSession(input: { initialPrompt: $url }) { id } }`
      const { errors } = await tabwire().send(query, { url: `http://${host}/` })
      expect(errors?.[0]).toMatchObject({
        message: expect.stringContaining('TABWIRE_EGRESS'),
        extensions: {
          code: 'BAD_USER_INPUT',
          issues: [{ path: ['input', 'initialPrompt'], code: 'FORBIDDEN_VALUE' }],
        },
      })
    }
    for (const url of ['http://intranet.test/', redirectTo('http://metadata.test/')]) {
      const session = await start({ initialPrompt: url }, 'LOADED')
      expect(session).toMatchObject({
        status: 'RUNNING',
        error: expect.stringMatching(/private address|never opened/),
      })
      expect((await logged(session.id))[0]).toMatchObject({ type: 'NAVIGATE', error: { code: 'BLOCKED' } })
      await terminate(session.id)
    }
    expect(reached()).toEqual([])
  })

  test('a client reaches no more, in pages, contexts of its own, and with a proxy of its own', async () => {
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const own = browser.contexts()[0]!.pages()[0]!
    const other = await (await browser.newContext()).newPage()
    await other.goto('http://public.test/plain')
    for (const page of [own, other]) {
      for (const host of INWARD) {
        await expect(page.goto(`http://${host}/`)).rejects.toThrow(/net::ERR_|TABWIRE_EGRESS|never opened/)
      }
      // The browser's error page may come between.
      await expect.poll(() => page.goto('http://public.test/plain').then(Boolean, () => false)).toBe(true)
      const fetched = page.evaluate(() => fetch('http://intranet.test/', { mode: 'no-cors' }))
      await expect(fetched).rejects.toThrow(/Failed to fetch/)
    }
    await loadByCommands(own)
    for (const server of ['direct://', 'http://intranet.test:80', 'socks5://127.0.0.1:1080']) {
      await expect(browser.newContext({ proxy: { server } })).rejects.toThrow(/createBrowserContext is not served/)
    }
    const session = await browser.newBrowserCDPSession()
    for (const host of ['intranet.test', 'metadata.test']) {
      await session.send('Target.createTarget', { url: `http://${host}/opened` })
    }
    const openings = async () =>
      (await logged(id))
        .filter(({ type, details }) => type === 'OPEN_PAGE' && String(details['url']).endsWith('/opened'))
        .map(({ error }) => error?.code)
    await expect.poll(openings).toEqual(['BLOCKED', 'BLOCKED'])
    await browser.close()
    expect(reached()).toEqual([])
  })

  test('a session may narrow it further, and not widen it', async () => {
    const { errors } = await tabwire().send('mutation { startSession(input: { egress: OPEN }) { id } }')
    expect(errors?.[0]?.extensions.issues).toMatchObject([{ path: ['input', 'egress'], code: 'FORBIDDEN_VALUE' }])
    const narrow = await start({ allowedHosts: ['public.test'], initialPrompt: 'http://public.test/plain' }, 'LOADED')
    const none = await start({ egress: 'NONE' })
    await expect.poll(async () => (await get(narrow.id))?.title).toBe('Plain')
    const [elsewhere] = await run(narrow.id, [{ navigate: { url: 'http://allowed.test/' } }])
    expect(elsewhere!.error).toMatchObject({ code: 'BLOCKED', message: expect.stringContaining('allowedHosts') })
    const [nowhere] = await run(none.id, [{ navigate: { url: 'http://public.test/plain' } }])
    expect(nowhere!.error).toMatchObject({
      code: 'BLOCKED',
      message: expect.stringContaining('TABWIRE_EGRESS_ALLOW'),
    })
    const [allowed] = await run(none.id, [{ navigate: { url: 'http://allowed.test/' } }])
    expect(allowed!.error).toBeNull()
    for (const one of [narrow, none]) await terminate(one.id)
  })
})

/** By commands that make the browser, not a page, fetch something, and by responses forged by a client. */
async function loadByCommands(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const { frameTree } = await session.send('Page.getFrameTree')
  const options = { disableCache: true, includeCredentials: false }
  for (const url of [
    'http://intranet.test/map',
    redirectTo('http://intranet.test/map'),
    redirectTo('http://metadata.test/'),
  ]) {
    const { resource } = await session.send('Network.loadNetworkResource', {
      frameId: frameTree.frame.id,
      url,
      options,
    })
    expect(resource.success).toBe(false)
  }
  await page.evaluate(() => {
    document.head.innerHTML += '<link rel="manifest" href="http://intranet.test/manifest">'
  })
  await session.send('Page.getAppManifest')
  const location = 'http://intranet.test/invented'
  await page.route('**/plain?redirected', (route) => route.fulfill({ status: 302, headers: { location } }))
  await page.route('**/plain?sent-elsewhere', (route) => route.continue({ url: location }))
  for (const url of ['/plain?redirected', '/plain?sent-elsewhere']) {
    await expect(page.evaluate((path) => fetch(path, { mode: 'no-cors' }), url)).rejects.toThrow(/Failed to fetch/)
  }
  await page.unrouteAll()
  await session.detach()
}

const redirectTo = (url: string) => `http://public.test/redirect?to=${encodeURIComponent(url)}`

async function attack(id: string, host: string): Promise<void> {
  const [step] = await run(id, [{ navigate: { url: `http://public.test/attack?host=${encodeURIComponent(host)}` } }])
  expect(step!.error).toBeNull()
  const query = `query ($id: ID!) { session(id: $id) { consoleMessages(filter: { textContains: "tried everything" }) { totalCount } } }`
  const tried = async () => {
    const { session } = await tabwire().query<{ session: { consoleMessages: { totalCount: number } } }>(query, { id })
    return session.consoleMessages.totalCount
  }
  await expect.poll(tried, { timeout: 90_000 }).toBe(1)
  await recorded(id)
}

interface Request {
  url: string
  failure: string | null
  remoteAddress: string | null
}

const requestsOf = (id: string) =>
  readEntireLog<Request>(tabwire(), id, 'url failure remoteAddress', { connection: 'networkRequests' })

const failuresOf = async (id: string) => (await requestsOf(id)).filter(({ failure }) => failure !== null)
const addressesOf = async (id: string) => (await requestsOf(id)).map(({ remoteAddress }) => remoteAddress)
