import puppeteer, { type Dialog as PuppetDialog, type Page as PuppetPage } from 'puppeteer-core'
import { chromium, type BrowserContext, type Page } from 'playwright'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { PausedTarget } from '../../src/adapters/playwright/cdp/barrier/paused-target.ts'
import { actionApi, outcomes } from '../support/action-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import { ofKind } from '../support/connect-api.ts'
import { startPopupSite } from '../support/site-popups.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, get, cdpUrlOf, logOf, untilLogged } = withApp(
  startPopupSite,
  {},
  // A page that is released only at the end is still recorded, however slow it is.
  { deadlines: { flush: 20_000 } },
)
const { run } = actionApi(tabwire)

const HOLD = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }
/** How pages open others; without a hold of its own for each, about ten of twelve runs went wrong. */
const WAYS = ['opener', 'open', 'noopener', 'elsewhere', 'submit'] as const

interface Seen {
  early: string | null
  added: string
  width: number
  userAgent: string
  language: string
}

/** Initial state of a click's popup, before its other scripts run. */
async function popupOf(page: Page, way: string): Promise<Seen & { way: string }> {
  await page.goto(site().url)
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.click(`#${way}`)])
  await popup.waitForLoadState()
  const seen = await popup.evaluate(() => (window as unknown as { seen: Seen }).seen)
  await popup.close()
  return { way, ...seen }
}

async function prepared(context: BrowserContext, word: string): Promise<void> {
  await context.addInitScript((early) => {
    const there = window as unknown as { early?: string }
    there.early = [there.early, early].filter(Boolean).sort().join('+')
  }, word)
}

/** A client that holds new targets, and releases none. */
async function stalledClient(id: string) {
  const client = await CdpSocket.connect(await cdpUrlOf(id))
  await client.send('Target.setAutoAttach', HOLD)
  const held = () =>
    client.event(({ method, params }) => method === 'Target.attachedToTarget' && params!['waitingForDebugger'] === true)
  return { client, held }
}

const linesOf = async (id: string) => ofKind(await logOf(id), 'ConsoleMessage').map(({ text }) => text as string)

describe('what a client has prepared is in force in every popup before anything else', () => {
  test('in a context of its own, and by every way in which a popup opens', async () => {
    const { id } = await start()
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const options = { userAgent: 'Mine/1', extraHTTPHeaders: { 'x-mine': '1' }, viewport: { width: 400, height: 500 } }
    const context = await browser.newContext(options)
    await prepared(context, 'mine')
    await context.exposeFunction('add', (one: number, other: number) => one + other)
    const page = await context.newPage()
    const before = site().headersOf('/seen').length
    const wanted = { early: 'mine', added: 'function', width: 400, userAgent: 'Mine/1' }
    const ways = [...WAYS, ...WAYS, 'opener', 'open', 'opener', 'open']
    for (const way of ways) expect(await popupOf(page, way)).toMatchObject({ way, ...wanted })
    const headers = site().headersOf('/seen').slice(before)
    expect(headers.filter((one) => one['user-agent'] === 'Mine/1' && one['x-mine'] === '1')).toHaveLength(ways.length)
    expect(headers).toHaveLength(ways.length)
    // Its opener need not wait for it.
    await page.goto(site().url)
    const blank = () => {
      const opened = window.open('about:blank') as unknown as Window & { early: string; add: unknown }
      const seen = [opened.early, typeof opened.add, opened.innerWidth]
      opened.close()
      return seen
    }
    for (let count = 0; count < 4; count += 1) expect(await page.evaluate(blank)).toEqual(['mine', 'function', 400])
    await browser.close()
    await terminate(id)
  })

  test('of two clients, together with the options of the session', async () => {
    const options = { userAgent: 'Session/1', locale: 'de-CH', extraHeaders: { 'x-session': '1' } }
    const { id } = await start({ ...options, viewport: { width: 600, height: 500 } })
    const [one, other] = [
      await chromium.connectOverCDP(await cdpUrlOf(id)),
      await chromium.connectOverCDP(await cdpUrlOf(id)),
    ]
    await using letting = await CdpSocket.connect(await cdpUrlOf(id))
    await letting.send('Target.setAutoAttach', { ...HOLD, waitForDebuggerOnStart: false })
    await prepared(one.contexts()[0]!, 'one')
    await prepared(other.contexts()[0]!, 'other')
    const page = one.contexts()[0]!.pages()[0]!
    const before = site().headersOf('/seen').length
    const wanted = { early: 'one+other', width: 600, userAgent: 'Session/1', language: 'de-CH' }
    const ways = [...WAYS, 'opener', 'open', 'opener', 'open', 'opener', 'open', 'opener']
    for (const way of ways) expect(await popupOf(page, way)).toMatchObject({ way, ...wanted })
    const headers = site().headersOf('/seen').slice(before)
    expect(
      headers.map((sent) => [sent['user-agent'], sent['x-session'], sent['accept-language']?.slice(0, 5)]),
    ).toEqual(ways.map(() => ['Session/1', '1', 'de-CH']))
    const lines = (await untilLogged(id, (log) => ofKind(log, 'ConsoleMessage').length >= ways.length)).filter(
      ({ __typename }) => __typename === 'ConsoleMessage',
    )
    expect(lines).toHaveLength(ways.length)
    await one.close()
    await other.close()
    await terminate(id)
  })

  test('of a Playwright client beside Puppeteer, which is told of tabs', async () => {
    const { id } = await start()
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const puppet = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(id), defaultViewport: null })
    const context = await browser.newContext({ userAgent: 'Mine/1' })
    await prepared(context, 'mine')
    const page = await context.newPage()
    for (const way of [...WAYS, 'opener', 'open', 'opener', 'open']) {
      expect(await popupOf(page, way)).toMatchObject({ way, early: 'mine', userAgent: 'Mine/1' })
    }
    const own = await puppet.newPage()
    for (const way of WAYS) {
      await own.goto(site().url)
      const opened = new Promise<PuppetPage>((resolve) => own.once('popup', (popup) => resolve(popup!)))
      await own.click(`#${way}`)
      const popup = await opened
      await popup.waitForFunction(() => document.title === 'Seen')
      await popup.close()
    }
    await puppet.disconnect()
    await browser.close()
    await terminate(id)
  })

  test('in workers, shared workers, and frames of other sites', async () => {
    const { id } = await start()
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const other = await chromium.connectOverCDP(await cdpUrlOf(id))
    const context = await browser.newContext({ userAgent: 'Mine/1' })
    await prepared(context, 'mine')
    await context.route('**/data?worker', (route) => route.fulfill({ body: 'routed' }))
    const page = await context.newPage()
    for (let count = 0; count < 3; count += 1) {
      await page.goto(`${site().url}/worker`)
      await expect.poll(() => page.title()).toBe('routed Mine/1')
      await page.goto(`${site().url}/frame`)
      const frame = page.frames().find((one) => one.url().startsWith(site().elsewhere))!
      expect(await frame.evaluate(() => (window as unknown as { seen: Seen }).seen.early)).toBe('mine')
    }
    await page.goto(`${site().url}/shared`)
    await expect.poll(() => page.title()).toContain('served')
    await other.close()
    await browser.close()
    await terminate(id)
  })
})

test('the lines of popups that close at once reach the client and the log, each once', async () => {
  const { id } = await start()
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
  const wanted: string[] = []
  const received: string[] = []
  for (const context of [browser.contexts()[0]!, await browser.newContext()]) {
    context.on('console', (message) => received.push(message.text()))
    const page = await context.newPage()
    await page.goto(site().url)
    for (let count = 0; count < 6; count += 1) {
      const line = `line ${wanted.length}`
      wanted.push(line)
      await page.evaluate(async (text) => {
        const opened = window.open(`javascript:console.log(${JSON.stringify(text)})`)
        await new Promise((resolve) => setTimeout(resolve, 0))
        opened!.close()
      }, line)
    }
  }
  await expect.poll(() => received.length).toBeGreaterThanOrEqual(wanted.length)
  await untilLogged(id, (log) => ofKind(log, 'ConsoleMessage').length >= wanted.length)
  expect(received.toSorted()).toEqual(wanted.toSorted())
  expect((await linesOf(id)).toSorted()).toEqual(wanted.toSorted())
  await browser.close()
  await terminate(id)
})

test('a popup that a popup opens at once is held as the first is: it is prepared, and its lines are recorded', async () => {
  const { id } = await start()
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
  const contexts = { 'of a client': await browser.newContext(), 'of the session': browser.contexts()[0]! }
  const received: string[] = []
  for (const [line, context] of Object.entries(contexts)) {
    await prepared(context, 'mine')
    context.on('console', (message) => received.push(message.text()))
    const page = await context.newPage()
    await page.goto(site().url)
    const early = await page.evaluate(async (text) => {
      const first = window.open('about:blank')!
      const second = first.open(`javascript:console.log(${JSON.stringify(text)})`) as Window & { early?: string }
      const seen = second.early
      await new Promise((resolve) => setTimeout(resolve, 0))
      for (const opened of [second, first]) opened.close()
      return seen
    }, line)
    expect(early).toBe('mine')
  }
  await expect.poll(() => received).toEqual(Object.keys(contexts))
  await untilLogged(id, (log) => ofKind(log, 'ConsoleMessage').length >= 2)
  expect(await linesOf(id)).toEqual(Object.keys(contexts))
  await browser.close()
  await terminate(id)
})

test('a page that opens and closes popups in a loop, and waits for none, is served to its end', async () => {
  const { id } = await start()
  const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
  const other = await chromium.connectOverCDP(await cdpUrlOf(id))
  const page = browser.contexts()[0]!.pages()[0]!
  await page.goto(site().url)
  const opened = await page.evaluate(() => {
    let count = 0
    for (; count < 10; count += 1) {
      window.open('about:blank')!.close()
      window.open('/seen', '_blank', 'noopener')
    }
    return count
  })
  expect(opened).toBe(10)
  await untilLogged(id, (log) => ofKind(log, 'ConsoleMessage').length === 10)
  await expect.poll(() => page.context().pages().length).toBe(11)
  await expect.poll(() => other.contexts()[0]!.pages().length).toBe(11)
  await other.close()
  await browser.close()
  await terminate(id)
})

describe('a client that holds a popup and does not let it go', () => {
  const open = `console.log('before'); window.popup = open('/seen'); console.log('after'); window.popup !== null`

  test('holds up the popup and its opener for a while, which steps say, and stops no script', async () => {
    const { id } = await start({ initialPrompt: site().url }, 'LOADED')
    const { client, held } = await stalledClient(id)
    // How long, to the millisecond, is tested beside the barrier: here, until all of this has been seen.
    const over = Promise.withResolvers<void>()
    const { giveUp } = PausedTarget.prototype
    const givingUp = vi.spyOn(PausedTarget.prototype, 'giveUp').mockImplementation(function (this: PausedTarget) {
      void over.promise.then(() => giveUp.call(this))
    })
    onTestFinished(() => givingUp.mockRestore())
    const opening = run(id, [{ evaluate: { expression: open, timeoutMs: 4_000 } }])
    await held()
    const query = `query ($id: ID!) { session(id: $id) { health { browserResponsive } } }`
    const isHealthy = { session: { health: { browserResponsive: true } } }
    await expect.poll(() => tabwire().query(query, { id })).toMatchObject(isHealthy)
    const [late] = await opening
    expect(late!.error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('client holds') as string })
    over.resolve()
    // The page may respond a moment before its script continues.
    const hasGoneOn = async () => (await run(id, [{ evaluate: { expression: '!!window.popup' } }], 'p1'))[0]!.result
    await expect.poll(hasGoneOn).toBe(true)
    expect((await run(id, [{ evaluate: { expression: 'document.title' } }], 'p2'))[0]!.result).toBe('Seen')
    expect(await linesOf(id)).toEqual(['before', 'after', 'popup of 127.0.0.1'])
    client.socket.close()
    await client.closed
    await terminate(id)
  })

  test('holds up nothing once it has vanished', async () => {
    const { id } = await start({ initialPrompt: site().url }, 'LOADED')
    const { client, held } = await stalledClient(id)
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const context = browser.contexts()[0]!
    await prepared(context, 'mine')
    const page = context.pages()[0]!
    const popup = Promise.all([page.waitForEvent('popup'), page.click('#opener')])
    await held()
    client.socket.terminate()
    const [opened] = await popup
    await opened.waitForLoadState()
    expect(await opened.evaluate(() => (window as unknown as { seen: Seen }).seen.early)).toBe('mine')
    await browser.close()
    await terminate(id)
  })

  test('costs the session that ends meanwhile no entry', async () => {
    const { id } = await start({ initialPrompt: site().url }, 'LOADED')
    const { held } = await stalledClient(id)
    const opening = run(id, [{ evaluate: { expression: open } }])
    await held()
    await terminate(id)
    await opening
    const log = await logOf(id)
    expect(ofKind(log, 'ConsoleMessage').map(({ text }) => text)).toEqual(expect.arrayContaining(['before', 'after']))
    expect(ofKind(log, 'EntriesDropped')).toEqual([])
  })

  test('is not waited for where it waits itself for answers of a popup that gives none', async () => {
    const { id } = await start({ initialPrompt: site().url }, 'LOADED')
    const { client, held } = await stalledClient(id)
    await run(id, [{ evaluate: { expression: `open('/seen', '_blank', 'noopener'); 1` } }])
    const { params } = await held()
    const sessionId = params!['sessionId'] as string
    await client.send('Page.enable', {}, sessionId)
    expect(await client.send('Runtime.runIfWaitingForDebugger', {}, sessionId)).toEqual({})
    expect(outcomes(await run(id, [{ evaluate: { expression: '1' } }], 'p2'))).toEqual(['DONE'])
    client.socket.close()
    await client.closed
    await terminate(id)
  })
})

describe('dialogs are the client’s to answer', () => {
  test('in popups, in its own context and in that of the session', async () => {
    const { id } = await start()
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    for (const context of [browser.contexts()[0]!, await browser.newContext()]) {
      const page = await context.newPage()
      await page.goto(site().url)
      const said: string[] = []
      const askedBy: (Page | null)[] = []
      context.on('dialog', (dialog) => {
        said.push(dialog.message())
        askedBy.push(dialog.page())
        void dialog.accept('hello')
      })
      const opened = page.waitForEvent('popup')
      expect(await page.evaluate(() => window.open('about:blank')!.prompt('a popup asks'))).toBe('hello')
      // The client learned that the popup runs before it received its request.
      expect(askedBy).toEqual([await opened])
      await page.evaluate(() => void window.open('javascript:prompt("its first words")'))
      await expect.poll(() => said).toEqual(['a popup asks', 'its first words'])
      await context.pages().at(-1)!.close()
    }
    await untilLogged(id, (log) => ofKind(log, 'Dialog').filter(({ accepted }) => accepted).length === 4)
    await browser.close()
    await terminate(id)
  })

  test('in a popup that a script opens in a popup, and that asks at once', async () => {
    const { id } = await start({ initialPrompt: site().url }, 'LOADED')
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    for (const context of [browser.contexts()[0]!, await browser.newContext()]) {
      const page = await context.newPage()
      await page.goto(site().url)
      context.on('dialog', (dialog) => void dialog.accept('hello'))
      const asking = page.evaluate(() => window.open('about:blank')!.open('about:blank')!.prompt('a popup asks'))
      expect(await asking).toBe('hello')
    }
    await untilLogged(id, (log) => ofKind(log, 'Dialog').filter(({ accepted }) => accepted).length === 2)
    await browser.close()
    await terminate(id)
  })

  test('also where it asks whether to leave the page, by Playwright and by Puppeteer', async () => {
    const { id } = await start({ initialPrompt: site().url }, 'LOADED')
    const url = `${site().url}/leaving`
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const page = browser.contexts()[0]!.pages()[0]!
    page.on('dialog', (dialog) => void dialog.dismiss())
    await page.goto(url)
    await page.click('button')
    await expect(page.goto(site().url)).rejects.toThrow()
    expect(page.url()).toBe(url)
    await browser.close()
    const puppet = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(id), defaultViewport: null })
    const [same] = await puppet.pages()
    const { promise: refused, resolve } = Promise.withResolvers<void>()
    same!.once('dialog', (dialog) => void dialog.dismiss().then(resolve))
    same!.goto(site().url).catch(() => undefined)
    await refused
    expect(await same!.evaluate('location.href')).toBe(url)
    // A step still has its own meaning.
    expect(outcomes(await run(id, [{ navigate: { url: site().url } }]))).toEqual(['DONE'])
    await puppet.disconnect()
    const log = await untilLogged(id, (entries) => ofKind(entries, 'Dialog').length === 3)
    expect(ofKind(log, 'Dialog').map(({ accepted }) => accepted)).toEqual([false, false, true])
    await terminate(id)
  })

  test('for as long as one thinks that has caused it', async () => {
    const { id } = await start({ initialPrompt: site().url }, 'LOADED')
    const puppet = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(id), defaultViewport: null })
    const [page] = await puppet.pages()
    const asked = new Promise<PuppetDialog>((resolve) => page!.once('dialog', resolve))
    await page!.evaluate(() => void setTimeout(() => document.querySelector<HTMLElement>('#ask')!.click()))
    const dialog = await asked
    const until = performance.now() + 6_000
    await expect.poll(() => performance.now(), { interval: 250 }).toBeGreaterThan(until)
    await dialog.accept()
    expect(await page!.title()).toBe('true')
    await puppet.disconnect()
    expect((await get(id))!.status).toBe('RUNNING')
    await terminate(id)
  })
})
