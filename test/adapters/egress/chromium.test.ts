import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { chromium, type Page } from 'playwright'
import { describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import { freePort } from '../../support/free-port.ts'
import { leakGate } from '../../support/leak-gate.ts'
import { SELF_SIGNED } from '../../support/self-signed.ts'
import { openSilentPort } from '../../support/silent-port.ts'
import { EgressStage, NONE, OPEN, type Browser } from './egress-stage.ts'
import { startUpstream } from './upstream-proxy.ts'

leakGate()
const stage = new EgressStage()

interface Site {
  port: number
  /** Connections and requests so far. */
  connections: number
  asked: string[]
}

const CORS = { 'access-control-allow-origin': '*', 'cache-control': 'no-store' }
const SCRIPTS: Readonly<Record<string, string>> = {
  '/worker.js': `onmessage = async ({ data }) => postMessage(await fetch(data).then((r) => r.text(), () => 'failed'))`,
  '/shared.js': `onconnect = ({ ports: [port] }) => {
    port.onmessage = async ({ data }) => port.postMessage(await fetch(data).then((r) => r.text(), () => 'failed'))
  }`,
  '/service.js': `
    oninstall = () => skipWaiting()
    onactivate = (event) => event.waitUntil(clients.claim())
    onmessage = async ({ data, source }) => source.postMessage(await fetch(data).then((r) => r.text(), () => 'failed'))`,
}

function answer(site: Site, { url = '' }: IncomingMessage, response: ServerResponse): void {
  site.asked.push(url)
  const script = SCRIPTS[url]
  const type = script ? 'text/javascript' : url === '/page' ? 'text/html' : 'text/plain'
  response.writeHead(200, { ...CORS, 'content-type': type, 'service-worker-allowed': '/' })
  response.end(script ?? (url === '/page' ? '<!doctype html><link rel="icon" href="data:,">' : 'reached'))
}

async function openSite(isSecure = false): Promise<Site> {
  const site: Site = { port: 0, connections: 0, asked: [] }
  const listener = (incoming: IncomingMessage, response: ServerResponse) => answer(site, incoming, response)
  const server = isSecure ? createHttpsServer(SELF_SIGNED, listener) : createServer(listener)
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => socket.send('reached'))
  server.on('connection', () => (site.connections += 1))
  site.port = await listen(server)
  return site
}

async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => open.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stage.own(server, async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of open) socket.destroy()
    await closed
  })
  return (server.address() as AddressInfo).port
}

/** Each kind of traffic to an address; returns the response, or "failed". */
const KINDS: Readonly<Record<string, (page: Page, address: string) => Promise<string>>> = {
  fetch: (page, address) =>
    page.evaluate(
      (url) =>
        fetch(url).then(
          (response) => response.text(),
          () => 'failed',
        ),
      `http://${address}/fetch`,
    ),
  webSocket: (page, address) =>
    page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(url)
          socket.onmessage = ({ data }) => resolve(String(data))
          socket.onerror = () => resolve('failed')
        }),
      `ws://${address}/ws`,
    ),
  worker: (page, address) =>
    page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const worker = new Worker('/worker.js')
          worker.onmessage = ({ data }) => resolve(String(data))
          worker.postMessage(url)
        }),
      `http://${address}/worker`,
    ),
  sharedWorker: (page, address) =>
    page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const { port } = new SharedWorker('/shared.js')
          port.onmessage = ({ data }) => resolve(String(data))
          port.postMessage(url)
        }),
      `http://${address}/shared`,
    ),
  serviceWorker: (page, address) =>
    page.evaluate(async (url) => {
      await navigator.serviceWorker.register('/service.js')
      const { active } = await navigator.serviceWorker.ready
      return await new Promise<string>((resolve) => {
        navigator.serviceWorker.onmessage = ({ data }) => resolve(String(data))
        active!.postMessage(url)
      })
    }, `http://${address}/service`),
  frame: (page, address) =>
    page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const frame = document.createElement('iframe')
          // An error page loads, too, but is of another origin and has no room for a message.
          frame.onload = () => resolve('loaded')
          frame.src = url
          document.body.append(frame)
        }),
      `http://${address}/page`,
    ),
  image: (page, address) =>
    page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const image = new Image()
          image.onerror = () => resolve('failed')
          image.src = url
        }),
      `http://${address}/image`,
    ),
}

/** A real browser whose only network access is the proxy. */
async function launch(opened: Browser): Promise<Page> {
  const launched = await chromium.launch({
    executablePath: findBrowserExecutable(null),
    args: ['--no-sandbox', `--proxy-server=socks5://127.0.0.1:${opened.port}`, '--proxy-bypass-list=<-loopback>'],
  })
  stage.own(launched, (closing) => closing.close())
  const context = await launched.newContext({ ignoreHTTPSErrors: true })
  return await context.newPage()
}

describe('a real browser', () => {
  test('reaches what is allowed, by every kind of traffic, and nothing else', async () => {
    const [home, other] = [await openSite(), await openSite()]
    const opened = await stage.browser({ ...NONE, allow: [`127.0.0.1:${home.port}`] })
    const page = await launch(opened)
    await page.goto(`http://127.0.0.1:${home.port}/page`)
    for (const [kind, attempt] of Object.entries(KINDS)) {
      const said = await attempt(page, `127.0.0.1:${other.port}`)
      expect([kind, said]).toEqual([kind, kind === 'frame' ? 'loaded' : 'failed'])
    }
    await expect(page.goto(`https://127.0.0.1:${other.port}/`)).rejects.toThrow('ERR_SOCKS_CONNECTION_FAILED')
    expect(other.connections).toBe(0)
    const blocked = () => opened.outcomes.filter(({ port }) => port === other.port)
    await expect.poll(() => blocked().length).toBeGreaterThanOrEqual(Object.keys(KINDS).length + 1)
    expect(new Set(blocked().map(({ failure }) => failure?.rule))).toEqual(new Set(['none']))

    await opened.proxy.assign(OPEN, (outcome) => opened.outcomes.push(outcome))
    const again = await page.context().newPage()
    await again.goto(`http://127.0.0.1:${home.port}/page`)
    for (const kind of ['fetch', 'webSocket', 'worker', 'sharedWorker', 'serviceWorker']) {
      expect([kind, await KINDS[kind]!(again, `127.0.0.1:${other.port}`)]).toEqual([kind, 'reached'])
    }
    const reached = () => opened.outcomes.filter(({ port, failure }) => port === other.port && failure === null)
    // The browser may open connections that it does not need yet; each is told a moment before or after it is there.
    await expect.poll(() => reached().length - other.connections).toBe(0)
    expect(reached()[0]).toMatchObject({
      host: '127.0.0.1',
      dnsMs: null,
      peer: { address: '127.0.0.1', port: other.port },
    })
  })

  test('fails as each connection does, and the reason is told', async () => {
    const home = await openSite()
    const secure = await openSite(true)
    const silent = stage.own(await openSilentPort(), (opened) => opened.close())
    const resetting = await listen(createTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy())))
    const refused = await freePort()
    const server = await stage.names((name) => (name === 'named.test' ? ['127.0.0.1'] : null))
    const opened = await stage.browser(OPEN, { limits: { connectMs: 5_000 }, dnsServers: [server.address] })
    const page = await launch(opened)
    const errorOf = async (url: string) =>
      await page.goto(url).then(
        () => null,
        (error: unknown) => /net::\w+/.exec(String(error))?.[0],
      )
    expect(await errorOf(`https://127.0.0.1:${secure.port}/page`)).toBeNull()
    expect(await errorOf(`http://named.test:${home.port}/page`)).toBeNull()
    const unreachable = 'net::ERR_SOCKS_CONNECTION_FAILED'
    expect(await errorOf(`http://127.0.0.1:${refused}/`)).toBe(unreachable)
    expect(await errorOf(`http://127.0.0.1:${silent.port}/`)).toBe(unreachable)
    expect(await errorOf('http://unknown.test/')).toBe(unreachable)
    expect(await errorOf('http://169.254.169.254/')).toBe(unreachable)
    expect(await errorOf(`http://127.0.0.1:${resetting}/`)).toBe('net::ERR_CONNECTION_RESET')
    expect(await errorOf(`http://127.0.0.1:${secure.port}/`)).toBe('net::ERR_EMPTY_RESPONSE')
    const reported = opened.outcomes.map(
      ({ host, port, failure }) => `${host}:${port} ${failure?.netError ?? 'connected'}`,
    )
    expect([...new Set(reported)]).toEqual([
      `127.0.0.1:${secure.port} connected`,
      `named.test:${home.port} connected`,
      `127.0.0.1:${refused} net::ERR_CONNECTION_REFUSED`,
      `127.0.0.1:${silent.port} net::ERR_CONNECTION_TIMED_OUT`,
      'unknown.test:80 net::ERR_NAME_NOT_RESOLVED',
      '169.254.169.254:80 net::ERR_BLOCKED_BY_ADMINISTRATOR',
      `127.0.0.1:${resetting} connected`,
    ])
  })

  test('sees an end or a reset that comes before its request as one that comes after', async () => {
    const home = await openSite()
    const fin = await listen(createTcpServer((socket) => socket.end()))
    const rst = await listen(createTcpServer((socket) => socket.resetAndDestroy()))
    const page = await launch(await stage.browser(OPEN))
    await page.goto(`http://127.0.0.1:${home.port}/page`)
    const seen = async (port: number) => {
      const errors = new Set<string | undefined>()
      for (let count = 0; count < 3; count += 1) {
        const tab = await page.context().newPage()
        const error = await tab.goto(`http://127.0.0.1:${port}/`).then(() => '', String)
        errors.add(/net::\w+/.exec(error)?.[0])
      }
      const said = page.waitForEvent('console')
      expect(await KINDS['webSocket']!(page, `127.0.0.1:${port}`)).toBe('failed')
      return [...errors, (await said).text().replace(/^.* failed: /, '')]
    }
    expect(await seen(fin)).toEqual([
      'net::ERR_EMPTY_RESPONSE',
      'Connection closed before receiving a handshake response',
    ])
    expect(await seen(rst)).toEqual([
      'net::ERR_CONNECTION_RESET',
      'Error during WebSocket handshake: net::ERR_CONNECTION_RESET',
    ])
  })

  test('speaks HTTP, HTTPS and WebSocket through an upstream that it never sees', async () => {
    const [home, secure] = [await openSite(), await openSite(true)]
    const upstream = stage.own(await startUpstream({ credentials: 'me:secret' }), (opened) => opened.close())
    const opened = await stage.browser({ ...OPEN, upstream: { url: `http://me:secret@127.0.0.1:${upstream.port}` } })
    const page = await launch(opened)
    await page.goto(`http://127.0.0.1:${home.port}/page`)
    expect(await KINDS['fetch']!(page, `127.0.0.1:${home.port}`)).toBe('reached')
    expect(await KINDS['webSocket']!(page, `127.0.0.1:${home.port}`)).toBe('reached')
    expect((await page.goto(`https://127.0.0.1:${secure.port}/page`))?.status()).toBe(200)
    // It reconnects after it was configured to trust a certificate.
    expect([...new Set(upstream.asked)]).toEqual([
      `GET http://127.0.0.1:${home.port}/page`,
      `GET http://127.0.0.1:${home.port}/fetch`,
      `CONNECT 127.0.0.1:${home.port}`,
      `CONNECT 127.0.0.1:${secure.port}`,
    ])
    expect(opened.outcomes.every(({ failure, peer }) => failure === null && peer === null)).toBe(true)
  })
})
