import { once } from 'node:events'
import { Agent, createServer, request, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { readUpstreamProxy } from '../../../src/egress/upstream-proxy.ts'
import { leakGate } from '../../support/leak-gate.ts'
import { SELF_SIGNED } from '../../support/self-signed.ts'
import { openSilentPort } from '../../support/silent-port.ts'
import { answerTo, echo, EgressStage, OPEN, PUBLIC, type Browser } from './egress-stage.ts'
import { through } from './socks-client.ts'
import { startSocksServer } from './socks-server.ts'
import { startUpstream, type UpstreamManners } from './upstream-proxy.ts'

leakGate()
const stage = new EgressStage()

const upstream = async (manners?: UpstreamManners) =>
  stage.own(await startUpstream(manners), (opened) => opened.close())

const over = (url: string) => ({ ...OPEN, upstream: { url } })

async function site(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stage.own(server, async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  })
  return (server.address() as AddressInfo).port
}

interface Answer {
  status: number
  message: string
  headers: IncomingMessage['headers']
  body: string
}

/** A request like a browser's: through a connection of the proxy, in origin form. */
async function ask(
  agent: Agent,
  port: number,
  path: string,
  init: { host?: string; method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const { host = '127.0.0.1', method = 'GET', body, headers } = init
  const asking = request({ agent, host, port, path, method, headers }, (response) => {
    response.toArray().then(
      (pieces) =>
        resolve({
          status: response.statusCode!,
          message: response.statusMessage!,
          headers: response.headers,
          body: Buffer.concat(pieces as Buffer[]).toString(),
        }),
      reject,
    )
  })
  asking.on('error', reject)
  asking.end(body)
  return await promise
}

/** Connections as Chromium opens them; counts them. */
class BrowserAgent extends Agent {
  opened = 0
  readonly #port: number

  constructor(port: number) {
    super({ keepAlive: true, maxSockets: 1 })
    this.#port = port
    stage.own(this, (agent) => agent.destroy())
  }

  override createConnection(...[options, created]: Parameters<Agent['createConnection']>): undefined {
    const { host, port } = options as { host: string; port: number }
    this.opened += 1
    through(this.#port, host, port).then(
      (socket) => created!(null, socket.resume()),
      (error: unknown) => created!(error as Error, new PassThrough()),
    )
  }
}

/** Sends the data, and waits until the end of the expected response has arrived; TLS has no half-open connections. */
async function hears(socket: Socket, text: string, end: string): Promise<string> {
  let received = ''
  socket.setEncoding('latin1').on('data', (piece: string) => (received += piece))
  socket.resume().write(text)
  await expect.poll(() => received.endsWith(end)).toBe(true)
  socket.destroy()
  return received
}

async function lastFailure({ outcomes }: Browser, count = 1): Promise<unknown> {
  await expect.poll(() => outcomes.length).toBe(count)
  const { failure } = outcomes.at(-1)!
  return failure && [failure.code, failure.netError, failure.rule]
}

const REFUSED = ['UPSTREAM_FAILED', 'net::ERR_TUNNEL_CONNECTION_FAILED', null]
const UNREACHABLE = ['UPSTREAM_FAILED', 'net::ERR_PROXY_CONNECTION_FAILED', null]

describe.each(['http', 'https'])('an upstream of %s', (scheme) => {
  const open = async (manners: UpstreamManners = {}, credentials = '') => {
    const opened = await upstream({ ...manners, ...(scheme === 'https' ? { tls: SELF_SIGNED } : {}) })
    const url = `${scheme}://${credentials && `${credentials}@`}localhost:${opened.port}`
    return { ...opened, browser: await stage.browser(over(url), { upstreamCa: SELF_SIGNED.cert }) }
  }

  test('tunnels what is not HTTP, under its name', async () => {
    const target = await stage.serve(echo)
    const { browser, asked } = await open()
    const client = await through(browser.port, 'only.upstream.test', target)
    expect(await hears(client, '\x16\x03 hello', 'hello')).toBe('\x16\x03 hello')
    expect(asked).toEqual([`CONNECT only.upstream.test:${target}`])
    expect(await lastFailure(browser)).toBeNull()
    expect(browser.outcomes[0]).toMatchObject({ host: 'only.upstream.test', port: target, peer: null })
  })

  test('forwards plain HTTP in absolute form, for it may tunnel to 443 alone', async () => {
    const received: [string, string, string][] = []
    const port = await site((incoming, response) => {
      incoming
        .setEncoding('utf8')
        .toArray()
        .then(
          (pieces) => {
            received.push([`${incoming.method} ${incoming.url}`, incoming.headers.host!, pieces.join('')])
            response.writeHead(201, 'Just so', {
              'x-one': 'a',
              'set-cookie': ['a=1', 'b=2'],
              connection: 'keep-alive, x-hop',
              'x-hop': '1',
            })
            response.write('first ')
            response.end(`of ${String(incoming.headers['x-sent'] ?? '')}`)
          },
          () => {},
        )
    })
    const { browser, asked, headers, connectionCount } = await open(
      { tunnelsTo: 443, credentials: 'me@home:a b' },
      'me%40home:a%20b',
    )
    const agent = new BrowserAgent(browser.port)
    const answer = await ask(agent, port, '/a?b=c', {
      headers: { 'x-sent': 'here', 'proxy-connection': 'x', te: 'trailers' },
    })
    expect(answer).toMatchObject({ status: 201, message: 'Just so', body: 'first of here' })
    expect(answer.headers).toMatchObject({ 'x-one': 'a', 'set-cookie': ['a=1', 'b=2'] })
    expect(answer.headers['x-hop']).toBeUndefined()
    const large = 'x'.repeat(300_000)
    expect((await ask(agent, port, '/post', { method: 'POST', body: large, host: 'localhost' })).status).toBe(201)
    expect((await ask(agent, port, '/again')).status).toBe(201)
    expect(received).toEqual([
      ['GET /a?b=c', `127.0.0.1:${port}`, ''],
      ['POST /post', `localhost:${port}`, large],
      ['GET /again', `127.0.0.1:${port}`, ''],
    ])
    expect(asked).toEqual([
      `GET http://127.0.0.1:${port}/a?b=c`,
      `POST http://localhost:${port}/post`,
      `GET http://127.0.0.1:${port}/again`,
    ])
    expect(headers[0]!['proxy-connection']).toBeUndefined()
    // One connection to the upstream for each of the browser's.
    expect([agent.opened, connectionCount()]).toEqual([2, 2])
    await expect.poll(() => browser.outcomes.map(({ failure }) => failure)).toEqual([null, null])
  })

  test('forwards a request whose length is not known', async () => {
    const received: [string | undefined, string][] = []
    const port = await site((incoming, response) => {
      incoming
        .setEncoding('utf8')
        .toArray()
        .then(
          (pieces) => {
            received.push([incoming.headers['transfer-encoding'], pieces.join('')])
            response.end('done')
          },
          () => {},
        )
    })
    const { browser } = await open({ tunnelsTo: 443 })
    const agent = new BrowserAgent(browser.port)
    const headers = { 'transfer-encoding': 'chunked' }
    expect(await ask(agent, port, '/post', { method: 'POST', body: 'the whole', headers })).toMatchObject({
      status: 200,
      body: 'done',
    })
    expect(received).toEqual([['chunked', 'the whole']])
  })

  test('uses a connection again whose answer came before its request was sent whole', async () => {
    const port = await site((_, response) => response.end('early'))
    const { browser, connectionCount } = await open({ tunnelsTo: 443 })
    const agent = new BrowserAgent(browser.port)
    const asking = request({ agent, port, method: 'POST', path: '/post' })
    asking.write('first ')
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    expect(Buffer.concat((await answer.toArray()) as Buffer[]).toString()).toBe('early')
    asking.end('and last')
    expect((await ask(agent, port, '/again', { host: 'localhost' })).body).toBe('early')
    expect([agent.opened, connectionCount()]).toEqual([1, 1])
  })

  test('tunnels a WebSocket, which starts as HTTP', async () => {
    const target = await stage.serve((socket) => {
      socket.once('data', (first) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        socket.write(first)
      })
    })
    const { browser, asked } = await open()
    const start = `GET /socket HTTP/1.1\r\nHost: 127.0.0.1:${target}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
    const client = await through(browser.port, '127.0.0.1', target)
    const received = await hears(client, `${start}and frames`, 'and frames')
    expect(received).toContain('101 Switching Protocols')
    expect(received).toContain(start)
    expect(asked).toEqual([`CONNECT 127.0.0.1:${target}`])
    expect(await lastFailure(browser)).toBeNull()
  })

  test('that wants other credentials has failed, and pages see no page of it', async () => {
    const { browser } = await open({ credentials: 'me:other' }, 'me:secret')
    await expect(ask(new BrowserAgent(browser.port), 80, '/')).rejects.toThrow()
    expect(await lastFailure(browser)).toEqual(REFUSED)
    expect(
      await answerTo(await through(browser.port, '127.0.0.1', 443), '\x16').catch(
        (error: unknown) => (error as NodeJS.ErrnoException).code,
      ),
    ).toBe('ECONNRESET')
    expect(await lastFailure(browser, 2)).toEqual(REFUSED)
  })

  test('passes on that a body breaks off', async () => {
    const port = await site((_, response) => {
      response.writeHead(200, { 'content-length': 1000 })
      response.write('half', () => response.destroy())
    })
    const { browser } = await open()
    await expect(ask(new BrowserAgent(browser.port), port, '/')).rejects.toThrow()
  })
})

test('an upstream of socks5 is told the name, and who asks', async () => {
  const target = await stage.serve(echo)
  const socks = stage.own(await startSocksServer({ username: 'me', password: 'p:ss' }), (opened) => opened.close())
  const browser = await stage.browser(over(`socks5://me:p%3Ass@127.0.0.1:${socks.port}`))
  expect(await answerTo(await through(browser.port, 'only.upstream.test', target), 'GET / hello')).toBe('GET / hello')
  expect(socks.asked).toEqual([`only.upstream.test:${target}`])
  expect(await lastFailure(browser)).toBeNull()
  const stranger = await stage.browser(over(`socks5://me:wrong@127.0.0.1:${socks.port}`))
  await expect(through(stranger.port, '127.0.0.1', target)).rejects.toThrow('GeneralFailure')
  expect(await lastFailure(stranger)).toEqual(REFUSED)
})

describe('an upstream that cannot be reached has failed', () => {
  test('refused, unresolvable, silent, without trust', async () => {
    const secure = await upstream({ tls: SELF_SIGNED })
    const silent = stage.own(await openSilentPort(), (opened) => opened.close())
    const egress = stage.egress({ limits: { connectMs: 500 }, dnsServers: ['127.0.0.1:9'] })
    for (const url of [
      'http://127.0.0.1:1',
      'socks5://127.0.0.1:1',
      'http://unknown.test:8080',
      `http://127.0.0.1:${silent.port}`,
      `https://127.0.0.1:${secure.port}`,
    ]) {
      const browser = await stage.browser(over(url), egress)
      await expect(through(browser.port, '127.0.0.1', 80)).rejects.toThrow('GeneralFailure')
      expect([url, await lastFailure(browser)]).toEqual([url, UNREACHABLE])
    }
  })
})

describe('with an upstream', () => {
  test('hosts are judged all the same', async () => {
    const { port, asked } = await upstream()
    const server = await stage.names((name) => (name === 'private.test' ? ['10.0.0.1'] : null))
    const egress = stage.egress({ dnsServers: [server.address] })
    const url = `http://127.0.0.1:${port}`
    const browser = await stage.browser({ ...PUBLIC, allow: [`127.0.0.1:${port}`], upstream: { url } }, egress)
    for (const host of ['10.0.0.1', '127.0.0.1', 'private.test', '169.254.169.254', 'metadata.google.internal']) {
      await expect(through(browser.port, host, 80)).rejects.toThrow('NotAllowed')
    }
    // A name known only to the upstream could be any host.
    await expect(through(browser.port, 'unknown.test', 80)).rejects.toThrow('HostUnreachable')
    const open = await stage.browser(over(url), egress)
    await expect(through(open.port, '169.254.169.254', 80)).rejects.toThrow('NotAllowed')
    await expect(through(open.port, 'metadata.google.internal', 80)).rejects.toThrow('NotAllowed')
    expect(asked).toEqual([])
  })

  test('that may not be reached itself, nothing is', async () => {
    const { port, asked } = await upstream()
    const egress = stage.egress()
    for (const [policy, rule] of [
      [PUBLIC, 'proxy: loopback address'],
      [{ ...PUBLIC, mode: 'NONE' }, 'proxy: none'],
      [{ ...PUBLIC, allow: ['127.0.0.1:1'] }, 'proxy: loopback address'],
    ] as const) {
      const browser = await stage.browser(
        { ...policy, allow: [...policy.allow, '8.8.8.8'], upstream: { url: `http://localhost:${port}` } },
        egress,
      )
      await expect(through(browser.port, '8.8.8.8', 80)).rejects.toThrow('NotAllowed')
      expect(await lastFailure(browser)).toEqual(['BLOCKED', 'net::ERR_BLOCKED_BY_ADMINISTRATOR', rule])
    }
    expect(asked).toEqual([])
  })

  test('a session that is narrowed reaches it, and no other host', async () => {
    const target = await stage.serve(echo)
    const { port } = await upstream()
    const browser = await stage.browser({ ...over(`http://127.0.0.1:${port}`), allowedHosts: ['localhost'] })
    expect(await answerTo(await through(browser.port, 'localhost', target), '\x16')).toBe('\x16')
    await expect(through(browser.port, '127.0.0.1', target)).rejects.toThrow('NotAllowed')
  })
})

describe('the URL of an upstream', () => {
  test.each([
    'http://proxy.example',
    'https://proxy.example:8443/',
    'socks5://user:p%40ss@192.0.2.1:1080',
    'http://[::1]:3128',
    'socks5://[fd00::1]',
  ])('%s is one', (url) => {
    expect(readUpstreamProxy(url)).toEqual({ proxy: { url }, problem: null })
  })

  const wrong = {
    nothing: '',
    'no scheme': 'proxy.example:3128',
    'another scheme': 'ftp://proxy.example',
    'an older SOCKS': 'socks4://proxy.example',
    'a path': 'http://proxy.example/path',
    'a query': 'http://proxy.example?query',
    'no host': 'socks5://a..b',
    'a colon in the user name': 'http://user%3Aname:secret@proxy.example',
    'wrong percent-encoding': 'http://user:secret%ss@proxy.example',
    'a line break': 'http://user:secret%0d%0a@proxy.example',
    'too long a user name': `socks5://${'u'.repeat(256)}@proxy.example`,
    'too long a host': `http://${'a'.repeat(2000)}.example`,
  }
  test.each(Object.entries(wrong))('with %s is none, and the reason does not repeat it', (_, url) => {
    const { proxy, problem } = readUpstreamProxy(url)
    expect(proxy).toBeNull()
    expect(problem).toMatch(/^must /)
    expect(problem).not.toContain('secret')
  })
})

test('one that hangs up before the browser sends anything is connected to again', async () => {
  const sockets: Socket[] = []
  const proxy = await stage.serve((socket) => {
    sockets.push(socket)
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  })
  const { port } = await stage.browser(over(`http://127.0.0.1:${proxy}`), { limits: { endHeldMs: 2 ** 30 } })
  const early = await through(port, '127.0.0.1', 80)
  await expect.poll(() => sockets.length).toBe(1)
  const closed = once(sockets[0]!, 'close')
  sockets[0]!.resetAndDestroy()
  await closed
  // The proxy knows about it by the time that it has opened another one.
  stage.own(await through(port, '127.0.0.1', 80), (socket) => void socket.destroy())
  expect(await hears(early, 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n', 'ok')).toMatch(/^HTTP\/1.1 200/)
  expect(sockets).toHaveLength(3)
})
