import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import { chromium } from 'playwright'
import puppeteer from 'puppeteer-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SessionBridge } from '../../src/bridge/session-bridge.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { ofKind } from '../support/connect-api.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

const { site, start, terminate, get, cdpUrlOf, untilLogged } = withApp(startTestSite)

interface Listed {
  id: string
  type: string
  url: string
  webSocketDebuggerUrl: string
}

/** The part of chrome-remote-interface used by the tests, since it has no types. */
interface RemoteClient {
  Page: {
    enable(): Promise<void>
    navigate(params: { url: string }): Promise<object>
    loadEventFired(): Promise<object>
  }
  Runtime: { evaluate(params: { expression: string }): Promise<{ result: { value: unknown } }> }
  Target: {
    setAutoAttach(params: object): Promise<object>
    attachedToTarget(listener: (event: { sessionId: string }) => void): void
  }
  send(method: string, params: object, sessionId?: string): Promise<{ result: { value: unknown } }>
  once(event: 'disconnect', listener: () => void): void
  close(): Promise<void>
}
interface Remote {
  (options: { host: string; port: number; target?: string }): Promise<RemoteClient>
  List(where: { host: string; port: number }): Promise<Listed[]>
  New(where: { host: string; port: number; url?: string }): Promise<Listed>
  Activate(where: { host: string; port: number; id: string }): Promise<void>
  Close(where: { host: string; port: number; id: string }): Promise<void>
  Version(where: { host: string; port: number }): Promise<Record<string, string>>
}
const CDP = createRequire(import.meta.url)('chrome-remote-interface') as Remote

async function startBridge() {
  const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const bridge = await SessionBridge.open(await cdpUrlOf(id), 0)
  onTestFinished(async () => {
    await bridge.close()
    await terminate(id)
  })
  return { id, bridge, where: { host: '127.0.0.1', port: Number(new URL(bridge.url).port) } }
}

async function ask(url: string, headers: Record<string, string> = {}, method = 'GET') {
  const sent = request(url, { method, headers, agent: false }).end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: response.statusCode, body: await text(response) }
}

describe('chrome-remote-interface', () => {
  test('drives the page with a host and a port alone', async () => {
    const { id, where } = await startBridge()
    const client = await CDP(where)
    await client.Page.enable()
    const loaded = client.Page.loadEventFired()
    await client.Page.navigate({ url: `${site().url}/console` })
    await loaded
    const { result } = await client.Runtime.evaluate({ expression: 'location.pathname' })
    expect(result.value).toBe('/console')
    await client.close()
    const log = await untilLogged(id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    expect(ofKind(log, 'Action')).toMatchObject([{ type: 'NAVIGATE', origin: 'CLIENT' }])
    expect((await get(id))!.status).toBe('RUNNING')
  })

  test('lists, opens, activates and closes pages; a page that closes takes its client along', async () => {
    const { where } = await startBridge()
    const opened = await CDP.New({ ...where, url: `${site().url}/title?a=b%20c` })
    expect(opened).toMatchObject({ type: 'page', url: `${site().url}/title?a=b%20c` })
    const pages = (await CDP.List(where)).filter(({ type }) => type === 'page')
    expect(pages.map(({ url }) => url).toSorted()).toEqual([`${site().url}/title`, `${site().url}/title?a=b%20c`])
    const client = await CDP({ ...where, target: opened.id })
    const gone = new Promise<void>((resolve) => client.once('disconnect', resolve))
    await CDP.Activate({ ...where, id: opened.id })
    await CDP.Close({ ...where, id: opened.id })
    await gone
    expect(await CDP.List(where)).toHaveLength(1)
    await expect(CDP({ ...where, target: `ws://127.0.0.1:${where.port}/devtools/page/NONE` })).rejects.toThrow('404')
    expect(await CDP.Version(where)).toMatchObject({ Browser: expect.stringContaining('Chrome') as string })
  })

  test('speaks with workers of its page by their sessions', async () => {
    const { where } = await startBridge()
    const client = await CDP(where)
    const attached = new Promise<string>((resolve) =>
      client.Target.attachedToTarget(({ sessionId }) => resolve(sessionId)),
    )
    await client.Target.setAutoAttach({ autoAttach: true, waitForDebuggerOnStart: false, flatten: true })
    await client.Runtime.evaluate({ expression: `worker = new Worker('data:text/javascript,self.name = "w"')` })
    const { result } = await client.send('Runtime.evaluate', { expression: 'self.constructor.name' }, await attached)
    expect(result.value).toBe('DedicatedWorkerGlobalScope')
    await client.close()
  })
})

test('Playwright and Puppeteer take its address', async () => {
  const { bridge } = await startBridge()
  const browser = await chromium.connectOverCDP(bridge.url)
  expect(await browser.contexts()[0]!.pages()[0]!.title()).toBe('A title')
  await browser.close()
  const puppet = await puppeteer.connect({ browserURL: bridge.url, defaultViewport: null })
  const [page] = await puppet.pages()
  expect(await page!.title()).toBe('A title')
  await puppet.disconnect()
})

test('what is large comes whole, both ways, and what is no message is answered', async () => {
  const { bridge } = await startBridge()
  const [{ webSocketDebuggerUrl }] = JSON.parse((await ask(`${bridge.url}/json`)).body) as [Listed]
  await using client = await CdpSocket.connect(webSocketDebuggerUrl)
  const value = 'ä'.repeat(6_000_000)
  const params = { expression: JSON.stringify(value), returnByValue: true }
  expect(await client.send('Runtime.evaluate', params)).toEqual({ result: { type: 'string', value } })
  client.socket.send('no json')
  await expect.poll(() => client.strays).toMatchObject([{ error: { code: -32_700 } }])
})

test('web pages cannot drive it, whatever name they give it', async () => {
  const { id, bridge, where } = await startBridge()
  const list = `${bridge.url}/json/list`
  const refused: Record<string, string>[] = [
    { host: `attacker.example:${where.port}` },
    { host: `127.0.0.1.attacker.example:${where.port}` },
    { host: `attacker.example@127.0.0.1:${where.port}` },
    { origin: 'http://attacker.example' },
    { origin: 'null' },
    { origin: bridge.url },
    { 'sec-fetch-site': 'cross-site' },
  ]
  for (const headers of refused) {
    expect((await ask(list, headers)).status).toBe(403)
    const webSocketUrl = `${bridge.url.replace('http', 'ws')}/devtools/browser`
    await expect(CdpSocket.connect(webSocketUrl, headers)).rejects.toThrow('403')
  }
  for (const host of [`localhost:${where.port}`, '127.0.0.1', '[::1]:9222']) {
    expect((await ask(list, { host })).status).toBe(200)
  }
  expect((await ask(`${bridge.url}/json/new?about:blank`)).status).toBe(405)
  expect((await ask(`${bridge.url}/json/new?file:///etc/passwd`, {}, 'PUT')).status).toBe(502)
  expect((await ask(`${bridge.url}/other`)).status).toBe(404)
  // The page of a session on this machine tries it: an image, a fetch, a socket.
  await using client = await CdpSocket.connect(await cdpUrlOf(id))
  const { sessionId } = await client.attachToPage()
  const expression = `Promise.all([
    new Promise((done) => { const image = new Image(); image.onerror = done; image.src = '${bridge.url}/json/new?${site().url}/popup' }),
    fetch('${bridge.url}/json/new', { method: 'PUT', mode: 'no-cors' }).catch(() => null),
    new Promise((done) => { new WebSocket('${bridge.url.replace('http', 'ws')}/devtools/browser').onerror = done }),
  ]).then(() => 'tried')`
  expect(await client.send('Runtime.evaluate', { expression, awaitPromise: true }, sessionId)).toMatchObject({
    result: { value: 'tried' },
  })
  expect((await get(id))!.pages).toHaveLength(1)
})

test('it ends with the session, and its clients with it', async () => {
  const { id, bridge } = await startBridge()
  await using client = await CdpSocket.connect(`${bridge.url.replace('http', 'ws')}/devtools/browser`)
  await terminate(id)
  expect(await client.closed).toMatchObject({ code: 4001 })
  expect(await bridge.ended).toMatchObject({ code: 4001, reason: expect.stringContaining('TERMINATED') as string })
})
