import puppeteer from 'puppeteer-core'
import { chromium } from 'playwright'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Dialogs } from '../../src/adapters/playwright/actions/site/dialogs.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { ofKind } from '../support/connect-api.ts'
import { startTestSite } from '../support/test-site.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, limit, get, cdpUrlOf, logOf, untilLogged } = withApp(startTestSite)

describe('Playwright', () => {
  test('connects by ws and by http, finds the page, drives it, is recorded, and leaves the session alive', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    for (const endpoint of [url, url.replace('ws://', 'http://')]) {
      const browser = await chromium.connectOverCDP(endpoint)
      const [context] = browser.contexts()
      const [page] = context!.pages()
      expect(page!.url()).toMatch(/\/(title|console)$/)
      await page!.goto(`${site().url}/console`)
      await page!.evaluate('console.log("said through the client")')
      const other = await context!.newPage()
      await other.goto(`${site().url}/title?second`)
      await other.evaluate('console.log("said on the second page")')
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
    const connected = ['OPEN_PAGE', 'NAVIGATE', 'CLOSE_PAGE'].map((type) => ['CLIENT', type, true])
    expect(ofKind(log, 'Action').map((entry) => [entry['origin'], entry['type'], entry['success']])).toEqual([
      ['CLIENT', 'NAVIGATE', true],
      ...connected,
      ['CLIENT', 'NAVIGATE', true],
      ...connected,
    ])
    await terminate(session.id)
  })
})

test('a context that a client makes is recorded too, and its close takes nothing else along', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const browser = await chromium.connectOverCDP(await cdpUrlOf(session.id))
  const context = await browser.newContext({ locale: 'de-DE', viewport: { width: 300, height: 200 } })
  const page = await context.newPage()
  await page.goto(`${site().url}/title`)
  expect(await page.evaluate(() => [navigator.language, innerWidth])).toEqual(['de-DE', 300])
  await page.evaluate('console.log("said in a context of its own")')
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
  const session = await start({ initialPrompt: `${site().url}/title`, ...options }, 'LOADED')
  const browser = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(session.id), defaultViewport: null })
  const page = await browser.newPage()
  await page.goto(`${site().url}/environment`)
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

test('a page has the size of the session again, of its screen too, when a client that changed it has left', async () => {
  const options = { viewport: { width: 700, height: 500 }, initialPrompt: `${site().url}/title` }
  const session = await start(options, 'LOADED')
  const query = `mutation ($id: ID!) {
    runActions(sessionId: $id, actions: [{ evaluate: { expression: "[innerWidth, screen.width]" } }]) { result } }`
  const sizes = async () => {
    const { runActions } = await tabwire().query<{ runActions: { result: unknown }[] }>(query, { id: session.id })
    return runActions[0]!.result
  }
  expect(await sizes()).toEqual([700, 700])
  const client = await CdpSocket.connect(await cdpUrlOf(session.id))
  const { sessionId } = await client.attachToPage()
  const theirs = { width: 320, height: 240, deviceScaleFactor: 1, mobile: false }
  await client.send('Emulation.setDeviceMetricsOverride', theirs, sessionId)
  await expect.poll(sizes).toMatchObject([320, expect.anything()])
  await client[Symbol.asyncDispose]()
  await expect.poll(sizes).toEqual([700, 700])
  await terminate(session.id)
})

test('downloads become artifacts wherever a client wants them to go, also after it has left', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
  const { sessionId } = await client.attachToPage()
  await client.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: '/etc' })
  await client.send('Page.navigate', { url: `${site().url}/file?size=1000` }, sessionId)
  await untilLogged(session.id, (log) => ofKind(log, 'Download').length === 1)
  client.socket.close()
  await client.closed
  await untilLogged(session.id, (log) => ofKind(log, 'ClientDetached').length === 1)
  const query = `mutation ($id: ID!, $url: String!) {
    runActions(sessionId: $id, actions: [{ evaluate: { expression: $url } }]) { success } }`
  await tabwire().query(query, {
    id: session.id,
    url: `location.href = ${JSON.stringify(`${site().url}/file?size=500`)}`,
  })
  const log = await untilLogged(session.id, (entries) => ofKind(entries, 'Download').length === 2)
  expect(ofKind(log, 'Download').map(({ artifact }) => (artifact as { sizeBytes: number } | null)?.sizeBytes)).toEqual([
    1000, 500,
  ])
  await terminate(session.id)
})

test('a dialog is left to the client that answers it; without an answer it is dismissed all the same', async () => {
  const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const browser = await chromium.connectOverCDP(await cdpUrlOf(session.id))
  const [page] = browser.contexts()[0]!.pages()
  page!.on('dialog', (dialog) => void dialog.accept('given'))
  expect(await page!.evaluate(() => prompt('name?'))).toBe('given')
  await browser.close()
  // How long each waits: test/adapters/playwright/dialogs.test.ts.
  const left = vi.spyOn(Dialogs.prototype, 'leaveToClient')
  onTestFinished(() => left.mockRestore())
  await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
  await client.attachToPage()
  expect(left).toHaveBeenCalledOnce()
  // By itself: after a step, and without any input of the client.
  const query = `mutation ($id: ID!, $expression: String!) {
    runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`
  await tabwire().query(query, { id: session.id, expression: 'setTimeout(() => confirm("sure?"), 500); 1' })
  const log = await untilLogged(session.id, (entries) => ofKind(entries, 'Dialog').length === 2)
  expect(ofKind(log, 'Dialog').map((entry) => [entry['message'], entry['accepted']])).toEqual([
    ['name?', true],
    ['sure?', false],
  ])
  await terminate(session.id)
})

describe('Puppeteer', () => {
  test('connects, finds the page, opens another, and leaves by close', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const browser = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(session.id), defaultViewport: null })
    const [page] = await browser.pages()
    expect(await page!.title()).toBe('A title')
    const other = await browser.newPage()
    await other.goto(`${site().url}/title`)
    expect(await other.evaluate('innerWidth')).toBe(1920)
    await browser.close()
    expect((await get(session.id))!.status).toBe('RUNNING')
    await terminate(session.id)
  })
})

describe('a bare WebSocket', () => {
  test('closes the browser, and has only left', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const client = await CdpSocket.connect(await cdpUrlOf(session.id))
    // Later commands are no longer executed.
    const closing = client.send('Browser.close')
    client.socket.send(JSON.stringify({ id: 1_000, method: 'Target.createTarget', params: { url: 'about:blank' } }))
    expect(await closing).toEqual({})
    expect(await client.closed).toMatchObject({ code: 1000 })
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
    expect(ofKind(log, 'ClientDetached')).toMatchObject([{ detachReason: 'CLIENT_LEFT', commandCount: 1 }])
    await using again = await CdpSocket.connect(await cdpUrlOf(session.id))
    expect(await again.attachToPage()).toBeTruthy()
    await terminate(session.id)
  })

  test('brings a page to front, which the live picture follows', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const { targetId, sessionId } = await client.attachToPage()
    await client.send('Target.createTarget', { url: `${site().url}/title?second` })
    const query = `subscription ($id: ID!) { screencast(sessionId: $id) { pageId } }`
    const seen = new Set<string>()
    const frames = tabwire()
      .client()
      .iterate<{ screencast: { pageId: string } }>({ query, variables: { id: session.id } })
    for await (const { data } of frames) {
      const { pageId } = data!.screencast
      if (seen.has('p2') && pageId === 'p1') break
      seen.add(pageId)
      if (pageId === 'p2') await client.send('Page.bringToFront', {}, sessionId)
    }
    expect(seen).toContain('p2')
    expect(await client.send('Target.activateTarget', { targetId })).toEqual({})
    await terminate(session.id)
  })

  test('an answer of 20 MB comes whole', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
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
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id))
    const before = Date.parse((await get(session.id))!.expiresAt!)
    await expect
      .poll(async () => {
        await client.send('Target.getTargets')
        return Date.parse((await get(session.id))?.expiresAt ?? '')
      })
      // Connecting counts as activity, too, but only once.
      .toBeGreaterThan(before + 1_500)
    await limit(session.id, { idleTimeoutSeconds: 1 })
    expect(await client.closed).toMatchObject({ code: 4001, reason: expect.stringContaining('IDLE_TIMEOUT') as string })
  })

  test('what a person would do is in the action log, what was typed is not', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    await using client = await CdpSocket.connect(await cdpUrlOf(session.id), { 'user-agent': 'my-script/1.0' })
    const { sessionId } = await client.attachToPage()
    const mouse = { x: 10, y: 20, button: 'left', clickCount: 1 }
    await client.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...mouse }, sessionId)
    await client.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...mouse }, sessionId)
    // Without waiting in between: a pause of this process would make two actions of one.
    const typed = Array.from('secret', (key) => [
      client.send('Input.dispatchKeyEvent', { type: 'keyDown', text: key, key }, sessionId),
      client.send('Input.dispatchKeyEvent', { type: 'keyUp', key }, sessionId),
    ])
    await Promise.all([
      ...typed.flat(),
      client.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'Enter', text: '\r' }, sessionId),
    ])
    const turned = [30, 40].map((deltaY) =>
      client.send('Input.dispatchMouseEvent', { type: 'mouseWheel', x: 1, y: 1, deltaX: 0, deltaY }, sessionId),
    )
    await Promise.all(turned)
    await client.send('Page.navigate', { url: 'http://127.0.0.1:1/' }, sessionId)
    await expect(client.send('Page.navigate', { url: 'file:///etc/passwd' }, sessionId)).rejects.toThrow('not served')
    const log = await untilLogged(session.id, (entries) => ofKind(entries, 'Action').length >= 6)
    expect(ofKind(log, 'Action')).toMatchObject([
      { origin: 'CLIENT', type: 'CLICK', details: { x: 10, y: 20 }, actedOn: 'p1', success: true },
      { type: 'TYPE', details: { text: '•••••• (6 characters)' } },
      { type: 'PRESS', details: { key: 'Enter' } },
      { type: 'SCROLL', details: { x: 0, y: 70 } },
      { type: 'NAVIGATE', success: false, error: { code: 'NAVIGATION_FAILED' } },
      { type: 'NAVIGATE', success: false, error: { code: 'BLOCKED' } },
    ])
    expect(ofKind(log, 'ClientAttached')).toMatchObject([{ clientId: 1, name: 'my-script/1.0' }])
    expect(JSON.stringify(log)).not.toContain('secret')
    await terminate(session.id)
  })

  test('the entries of the end come in order: detached clients, then the final status', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
    const clients = await Promise.all([1, 2, 3].map(async () => CdpSocket.connect(await cdpUrlOf(session.id))))
    // Connected is not attached yet.
    for (const client of clients) await client.send('Target.getTargets')
    await terminate(session.id)
    await Promise.all(clients.map(({ closed }) => closed))
    const kinds = (await logOf(session.id)).map(({ __typename }) => __typename)
    expect(kinds.slice(-4)).toEqual(['ClientDetached', 'ClientDetached', 'ClientDetached', 'StatusChange'])
  })

  test('who comes back while the session is still ending is turned away as one who comes later', async () => {
    // Saving a trace takes a while, during which the log still says RUNNING.
    const session = await start({ initialPrompt: `${site().url}/title`, record: ['TRACE'] }, 'LOADED')
    const url = await cdpUrlOf(session.id)
    await using client = await CdpSocket.connect(url)
    const ending = terminate(session.id)
    await client.closed
    await expect(CdpSocket.connect(url)).rejects.toThrow('401')
    const version = await fetch(url.replace('ws://', 'http://').replace('?', '/json/version?'))
    expect(version.status).toBe(401)
    await ending
  })

  test('speaks the protocol; the end of the session closes it with 4001, and the link is dead', async () => {
    const session = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
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
