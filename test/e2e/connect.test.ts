import puppeteer from 'puppeteer-core'
import { chromium } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CdpSocket } from '../support/cdp-socket.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let tabwire: TestApp
let site: TestSite
const { start, terminate, get } = sessionApi(() => tabwire)

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp()
})

afterAll(async () => {
  await tabwire?.close()
  await site?.close()
})

async function cdpUrlOf(id: string, ttlSeconds = 60): Promise<string> {
  const query = `query ($id: ID!, $ttlSeconds: Int!) { session(id: $id) { access(ttlSeconds: $ttlSeconds) { cdpUrl } } }`
  const { session } = await tabwire.query<{ session: { access: { cdpUrl: string } } }>(query, { id, ttlSeconds })
  return session.access.cdpUrl
}

interface Entry {
  __typename: string
  [member: string]: unknown
}

async function logOf(id: string): Promise<Entry[]> {
  const query = `query ($id: ID!) { session(id: $id) { events(first: 1000) { nodes {
    __typename sequence
    ... on Action { type origin success details actedOn: pageId }
    ... on ClientAttached { clientId name }
    ... on ClientDetached { clientId name reason commandCount }
    ... on ConsoleMessage { text }
    ... on Navigation { url }
    ... on StatusChange { to }
    ... on Dialog { message accepted }
    ... on Download { suggestedFilename artifactId: artifact { id sizeBytes } }
  } } } }`
  const { session } = await tabwire.query<{ session: { events: { nodes: Entry[] } } }>(query, { id })
  return session.events.nodes
}

/** Waits until the log has what is wanted. */
async function untilLogged(id: string, isThere: (log: Entry[]) => boolean): Promise<Entry[]> {
  let log: Entry[] = []
  await expect
    .poll(async () => isThere((log = await logOf(id))), { timeout: 15_000, message: 'the log has what is wanted' })
    .toBe(true)
  return log
}

const ofKind = (log: Entry[], kind: string) => log.filter(({ __typename }) => __typename === kind)

describe('Playwright', () => {
  test('connects by ws and by http, finds the page, drives it, is recorded, and leaves the session alive', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    for (const endpoint of [url, url.replace('ws://', 'http://')]) {
      const browser = await chromium.connectOverCDP(endpoint)
      const [context] = browser.contexts()
      const [page] = context!.pages()
      expect(page!.url()).toMatch(/\/(title|console)$/)
      await page!.goto(`${site.url}/console`)
      await page!.evaluate(() => console.log('said through the client'))
      const other = await context!.newPage()
      await other.goto(`${site.url}/title?second`)
      await other.evaluate(() => console.log('said on the second page'))
      await other.close()
      await browser.close()
    }
    expect((await get(session.id))!.status).toBe('RUNNING')
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 2)
    expect(ofKind(log, 'ClientAttached')).toHaveLength(2)
    expect(String(ofKind(log, 'ClientAttached')[0]!['name'])).toMatch(/Playwright/)
    expect(ofKind(log, 'ConsoleMessage').map((entry) => entry['text'])).toEqual(
      expect.arrayContaining(['said through the client', 'said on the second page']),
    )
    expect(ofKind(log, 'Action').map((entry) => [entry['origin'], entry['type'], entry['success']])).toEqual(
      expect.arrayContaining([['CLIENT', 'NAVIGATE', true]]),
    )
    await terminate(session.id)
  })
})

test('a context that a client makes is recorded too, and its close takes nothing else along', async () => {
  const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const browser = await chromium.connectOverCDP(await cdpUrlOf(session.id))
  const context = await browser.newContext({ locale: 'de-DE', viewport: { width: 300, height: 200 } })
  const page = await context.newPage()
  await page.goto(`${site.url}/title`)
  expect(await page.evaluate(() => [navigator.language, innerWidth])).toEqual(['de-DE', 300])
  await page.evaluate(() => console.log('said in a context of its own'))
  await context.close()
  expect(browser.contexts()[0]!.pages()).toHaveLength(1)
  await browser.close()
  const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
  expect(ofKind(log, 'ConsoleMessage').map((entry) => entry['text'])).toContain('said in a context of its own')
  await terminate(session.id)
})

test('the options of the session hold on pages that clients open, and again when a client that changed them has left', async () => {
  const options = {
    viewport: { width: 700, height: 500 },
    userAgent: 'Tabwire test',
    locale: 'fr-FR',
    timezone: 'Asia/Tokyo',
    extraHeaders: { 'x-test': 'held' },
  }
  const session = await start({ initialPrompt: `${site.url}/title`, ...options }, 'LOADED')
  const browser = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(session.id), defaultViewport: null })
  const page = await browser.newPage()
  await page.goto(`${site.url}/environment`)
  const environment = () => [innerWidth, navigator.userAgent, navigator.language, new Date(0).getTimezoneOffset()]
  expect(await page.evaluate(environment)).toEqual([700, 'Tabwire test', 'fr-FR', -540])
  await page.setViewport({ width: 320, height: 240 })
  expect(await page.evaluate('innerWidth')).toBe(320)
  await browser.disconnect()
  const again = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(session.id), defaultViewport: null })
  const pages = await again.pages()
  await expect.poll(() => pages.at(-1)!.evaluate(environment)).toEqual([700, 'Tabwire test', 'fr-FR', -540])
  await again.disconnect()
  await terminate(session.id)
})

test('downloads become artifacts whatever a client says about them, also after it has left', async () => {
  const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
  const { sessionId } = await client.attachToPage()
  await client.send('Browser.setDownloadBehavior', { behavior: 'deny', downloadPath: '/etc' })
  await client.send('Page.navigate', { url: `${site.url}/file?size=1000` }, sessionId)
  await untilLogged(session.id, (log) => ofKind(log, 'Download').length === 1)
  client.socket.close()
  await client.closed
  await untilLogged(session.id, (log) => ofKind(log, 'ClientDetached').length === 1)
  const query = `mutation ($id: ID!, $url: String!) {
    runActions(sessionId: $id, actions: [{ evaluate: { expression: $url } }]) { success } }`
  await tabwire.query(query, { id: session.id, url: `location.href = ${JSON.stringify(`${site.url}/file?size=500`)}` })
  const log = await untilLogged(session.id, (entries) => ofKind(entries, 'Download').length === 2)
  expect(
    ofKind(log, 'Download').map(({ artifactId }) => (artifactId as { sizeBytes: number } | null)?.sizeBytes),
  ).toEqual([1000, 500])
  await terminate(session.id)
})

test('a dialog is left to the client that answers it; without an answer it is dismissed all the same', async () => {
  const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const browser = await chromium.connectOverCDP(await cdpUrlOf(session.id))
  const [page] = browser.contexts()[0]!.pages()
  page!.on('dialog', (dialog) => void dialog.accept('given'))
  expect(await page!.evaluate(() => prompt('name?'))).toBe('given')
  await browser.close()
  await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
  const { sessionId } = await client.attachToPage()
  const answer = await client.send('Runtime.evaluate', { expression: 'confirm("sure?")' }, sessionId)
  expect(answer).toMatchObject({ result: { value: false } })
  const log = await untilLogged(session.id, (entries) => ofKind(entries, 'Dialog').length === 2)
  expect(ofKind(log, 'Dialog').map((entry) => [entry['message'], entry['accepted']])).toEqual([
    ['name?', true],
    ['sure?', false],
  ])
  await terminate(session.id)
})

describe('Puppeteer', () => {
  test('connects, finds the page, opens another, and leaves by close', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const browser = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(session.id), defaultViewport: null })
    const [page] = await browser.pages()
    expect(await page!.title()).toBe('A title')
    const other = await browser.newPage()
    await other.goto(`${site.url}/title`)
    expect(await other.evaluate('innerWidth')).toBe(1920)
    await browser.close()
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })
})

describe('what a guest may not', () => {
  let session: { id: string }
  let client: CdpSocket
  let sessionId: string
  let browserContextId: string

  beforeAll(async () => {
    session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const attached = await client.attachToPage()
    sessionId = attached.sessionId
    const { targetInfo } = await client.send('Target.getTargetInfo', { targetId: attached.targetId })
    browserContextId = (targetInfo as { browserContextId: string }).browserContextId
  })

  afterAll(async () => {
    client.socket.close()
    await client.closed
    await terminate(session.id)
  })

  test.each([
    ['open a file', 'Page.navigate', { url: 'file:///etc/passwd' }, true],
    ['open a page of the browser', 'Page.navigate', { url: 'chrome://version' }, true],
    ['see the source of a file', 'Page.navigate', { url: 'view-source:file:///etc/passwd' }, true],
    ['open the metadata of a cloud', 'Page.navigate', { url: 'http://169.254.169.254/' }, true],
    ['open a page without an address', 'Page.navigate', {}, true],
    ['open a target on a file', 'Target.createTarget', { url: 'file:///etc/passwd' }, false],
    ['turn a request to a file', 'Fetch.continueRequest', { requestId: '1', url: 'file:///etc/passwd' }, true],
    ['load a file', 'Network.loadNetworkResource', { url: 'file:///etc/passwd', options: {} }, true],
    ['give a file of the server to a page', 'DOM.setFileInputFiles', { files: ['/etc/passwd'], nodeId: 1 }, true],
    [
      'drag a file of the server',
      'Input.dispatchDragEvent',
      { type: 'drop', x: 1, y: 1, data: { items: [], files: ['/etc/passwd'], dragOperationsMask: 1 } },
      true,
    ],
    ['ask where a file lies', 'DOM.getFileInfo', { objectId: '1' }, true],
    ['say where a page downloads to', 'Page.setDownloadBehavior', { behavior: 'allow', downloadPath: '/etc' }, true],
    ['crash the browser', 'Browser.crash', {}, false],
    ['crash its graphics', 'Browser.crashGpuProcess', {}, false],
    ['read its command line', 'Browser.getBrowserCommandLine', {}, false],
    ['read what system it runs on', 'SystemInfo.getInfo', {}, false],
    ['read its processes', 'SystemInfo.getProcessInfo', {}, false],
    ['hand the whole protocol to a page', 'Target.exposeDevToolsProtocol', { targetId: 'x' }, false],
    ['make the browser connect elsewhere', 'Target.setRemoteLocations', { locations: [] }, false],
    ['tunnel commands in texts', 'Target.sendMessageToTarget', { message: '{}' }, false],
    ['open a session that is a tunnel', 'Target.attachToTarget', { targetId: 'x', flatten: false }, false],
    ['open such sessions for all', 'Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false }, false],
    ['load an extension', 'Extensions.loadUnpacked', { path: '/tmp' }, false],
    ['write a trace to a file', 'Tracing.start', { perfettoConfig: 'AAAA' }, false],
    ['ask what nobody has heard of', 'Nonsense.command', {}, false],
    ['ask for no command', '', {}, false],
  ])('%s', async (_, method, params, ofPage) => {
    const { error } = await client.ask(method, params, ofPage ? sessionId : undefined)
    expect(error).toMatchObject({ code: -32_000, message: expect.stringContaining('is not served') as string })
    expect(await client.send('Runtime.evaluate', { expression: '1' }, sessionId)).toBeTruthy()
  })

  test('end the context of the session', async () => {
    const { error } = await client.ask('Target.disposeBrowserContext', { browserContextId })
    expect(error?.message).toContain('is not served')
    const { browserContextIds } = await client.send('Target.getBrowserContexts')
    expect(browserContextIds).not.toContain(browserContextId)
  })

  test('speak on a session that is not its own', async () => {
    await using other = await CdpSocket.connect(await cdpUrlOf(session.id))
    await other.attachToPage()
    const { error } = await other.ask('Runtime.evaluate', { expression: '1' }, sessionId)
    expect(error).toMatchObject({ code: -32_001 })
    const { error: unknown } = await other.ask('Runtime.evaluate', { expression: '1' }, 'F'.repeat(32))
    expect(unknown).toMatchObject({ code: -32_001 })
  })

  test('reach a file by way of a page either', async () => {
    const expression = 'location.href = "file:///etc/passwd"; "asked"'
    await client.send('Runtime.evaluate', { expression }, sessionId)
    const { result } = (await client.send('Runtime.evaluate', { expression: 'location.protocol' }, sessionId)) as {
      result: { value: string }
    }
    expect(result.value).toBe('http:')
  })
})

describe('a link', () => {
  test('is null without the scope CONNECT, and before and after the session runs', async () => {
    const create = `mutation { createApiKey(input: { name: "reader", scopes: [READ, WRITE] }) { secret } }`
    const { createApiKey } = await tabwire.query<{ createApiKey: { secret: string } }>(create)
    const session = await start()
    const query = `query ($id: ID!) { session(id: $id) { access { cdpUrl } } }`
    const asReader = await tabwire.query(query, { id: session.id }, createApiKey.secret)
    expect(asReader).toEqual({ session: { access: null } })
    await terminate(session.id)
    expect(await tabwire.query(query, { id: session.id })).toEqual({ session: { access: null } })
    const { errors } = await tabwire.send(
      `query ($id: ID!) { session(id: $id) { access(ttlSeconds: 0) { cdpUrl } } }`,
      { id: session.id },
    )
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: ['ttlSeconds'] }] })
  })

  test('that was changed, is of another session, or has expired, opens nothing', async () => {
    const [session, other] = [await start(), await start()]
    const url = await cdpUrlOf(session.id)
    const wrong = [
      url.replace(encodeURIComponent(session.id), encodeURIComponent(other.id)).replace(session.id, other.id),
      url.replace(/expires=\d+/, `expires=${Math.floor(Date.now() / 1000) + 1_000_000}`),
      url.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      url.replace(/\?.*/, ''),
    ]
    for (const one of wrong) {
      await expect(CdpSocket.connect(one)).rejects.toThrow('401')
      const answer = await fetch(one.replace('ws://', 'http://').replace('?', '/json/version?'))
      expect(answer.status).toBe(401)
    }
    const short = await cdpUrlOf(session.id, 1)
    await expect
      .poll(
        () =>
          CdpSocket.connect(short)
            .then((client) => client[Symbol.asyncDispose]())
            .then(
              () => 'open',
              (error: Error) => error.message,
            ),
        { timeout: 5_000 },
      )
      .toBe('401')
    await terminate(session.id)
    await terminate(other.id)
  })
})

describe('clients that misbehave', () => {
  test('garbage is answered, a message that is no text ends the connection; the session and its others go on', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using good = await CdpSocket.connect(url)
    const bad = await CdpSocket.connect(url)
    const garbage = ['not json', '[]', '7', 'null', '{}', '{"id":"x","method":"a.b"}', '{"id":1.5,"method":"a.b"}']
    for (const text of garbage) bad.socket.send(text)
    bad.socket.send('{"id":2,"method":"Target.getTargets","params":[]}')
    await expect.poll(() => bad.strays.length).toBe(garbage.length + 1)
    expect(bad.strays.map(({ error }) => error?.code)).toEqual([-32_700, ...Array.from({ length: 7 }, () => -32_600)])
    bad.socket.send(Buffer.from([1, 2, 3]))
    expect(await bad.closed).toMatchObject({ code: 1003 })
    expect(await good.send('Target.getTargets')).toBeTruthy()
    await terminate(session.id)
  })

  test('one that breaks off in the middle of a message leaves no trace but its entries', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    client.socket.send(`{"id":99,"method":"Runtime.evaluate","sessionId":"${sessionId}","params":{"expr`, {
      fin: false,
    })
    client.socket.terminate()
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    expect(ofKind(log, 'ClientDetached')[0]).toMatchObject({ reason: 'CONNECTION_LOST', name: 'unknown' })
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })

  test('a flood of commands is answered whole and in order, while another client works', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using flooding = await CdpSocket.connect(url)
    await using working = await CdpSocket.connect(url)
    const answers: number[] = []
    const flood = Array.from({ length: 10_000 }, (_, index) =>
      flooding.ask('Target.getTargets').then(({ result }) => void (result && answers.push(index))),
    )
    expect(await working.send('Target.getTargets')).toBeTruthy()
    await Promise.all(flood)
    expect(answers).toEqual(Array.from({ length: 10_000 }, (_, index) => index))
    await terminate(session.id)
  })

  test('one that does not read is cut off; what others and the log hear does not wait for it', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    const stalled = await CdpSocket.connect(url)
    const { sessionId } = await stalled.attachToPage()
    await stalled.send('Runtime.enable', {}, sessionId)
    stalled.socket.pause()
    await using working = await CdpSocket.connect(url)
    const { sessionId: own } = await working.attachToPage()
    // Each line goes to the stalled client whole; in the log it is cut.
    const expression = 'for (let n = 0; n < 20; n += 1) console.log("x".repeat(1_000_000))'
    await expect
      .poll(
        async () => {
          await working.send('Runtime.evaluate', { expression }, own)
          return ofKind(await logOf(session.id), 'ClientDetached').map(({ reason }) => reason)
        },
        { timeout: 30_000 },
      )
      .toEqual(['CUT_OFF'])
    stalled.socket.terminate()
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })
})

describe('a bare WebSocket', () => {
  test('an answer of 20 MB comes whole', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { sessionId } = await client.attachToPage()
    const expression = '"ä".repeat(10_000_000)'
    const { result } = (await client.send('Runtime.evaluate', { expression, returnByValue: true }, sessionId)) as {
      result: { value: string }
    }
    expect(result.value).toHaveLength(10_000_000)
    expect(result.value.endsWith('ä')).toBe(true)
    await terminate(session.id)
  })

  test('commands are activity, being connected is not; the session outlives its client by the idle timeout', async () => {
    const session = await start({ initialPrompt: `${site.url}/title`, idleTimeoutSeconds: 3 }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const before = Date.parse((await get(session.id))!.expiresAt!)
    await expect
      .poll(async () => {
        await client.send('Target.getTargets')
        return Date.parse((await get(session.id))?.expiresAt ?? '')
      })
      .toBeGreaterThan(before)
    expect(await client.closed).toMatchObject({ code: 4001, reason: expect.stringContaining('IDLE_TIMEOUT') as string })
  })

  test('what a person would do is in the action log, what was typed is not', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id), { 'user-agent': 'my-script/1.0' })
    const { sessionId } = await client.attachToPage()
    const mouse = { x: 10, y: 20, button: 'left', clickCount: 1 }
    await client.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...mouse }, sessionId)
    await client.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...mouse }, sessionId)
    for (const key of 'secret') {
      await client.send('Input.dispatchKeyEvent', { type: 'keyDown', text: key, key }, sessionId)
      await client.send('Input.dispatchKeyEvent', { type: 'keyUp', key }, sessionId)
    }
    await client.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'Enter', text: '\r' }, sessionId)
    await client.send('Input.dispatchMouseEvent', { type: 'mouseWheel', x: 1, y: 1, deltaX: 0, deltaY: 30 }, sessionId)
    await client.send('Input.dispatchMouseEvent', { type: 'mouseWheel', x: 1, y: 1, deltaX: 0, deltaY: 40 }, sessionId)
    await client.send('Page.navigate', { url: 'http://127.0.0.1:1/' }, sessionId)
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'Action').length >= 5)
    expect(ofKind(log, 'Action')).toMatchObject([
      { origin: 'CLIENT', type: 'CLICK', details: { x: 10, y: 20 }, actedOn: 'p1', success: true },
      { type: 'TYPE', details: { text: '•••••• (6 characters)' } },
      { type: 'PRESS', details: { key: 'Enter' } },
      { type: 'SCROLL', details: { x: 0, y: 70 } },
      { type: 'NAVIGATE', success: false },
    ])
    expect(ofKind(log, 'ClientAttached')).toMatchObject([{ clientId: 1, name: 'my-script/1.0' }])
    expect(JSON.stringify(log)).not.toContain('secret')
    await terminate(session.id)
  })

  test('the entries of the end come in order: detached clients, then the final status', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const clients = await Promise.all([1, 2, 3].map(async () => CdpSocket.connect(await cdpUrlOf(session.id))))
    await terminate(session.id)
    await Promise.all(clients.map(({ closed }) => closed))
    const kinds = (await logOf(session.id)).map(({ __typename }) => __typename)
    expect(kinds.slice(-4)).toEqual(['ClientDetached', 'ClientDetached', 'ClientDetached', 'StatusChange'])
  })

  test('speaks the protocol; the end of the session closes it with 4001, and the link is dead', async () => {
    const session = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using client = await CdpSocket.connect(url)
    const { sessionId } = await client.attachToPage()
    expect(await client.send('Runtime.evaluate', { expression: '6 * 7' }, sessionId)).toMatchObject({
      result: { value: 42 },
    })
    await terminate(session.id)
    expect(await client.closed).toMatchObject({ code: 4001, reason: expect.stringContaining('TERMINATED') as string })
    await expect(CdpSocket.connect(url)).rejects.toThrow('401')
  })
})
