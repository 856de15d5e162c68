import puppeteer, { type Browser as Puppet } from 'puppeteer-core'
import { chromium } from 'playwright'
import { describe, expect, test } from 'vitest'
import { actionApi, outcomes } from '../support/action-api.ts'
import { ofKind } from '../support/connect-api.ts'
import { startActionPages } from '../support/site-actions.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate, get, cdpUrlOf, untilLogged } = withApp(startActionPages)
const { run, tryRun } = actionApi(tabwire)

const pageIds = async (id: string) => (await get(id))!.pages.map((page) => page.id)

async function untilHeldUp(id: string): Promise<void> {
  const read = async () => outcomes(await run(id, [{ evaluate: { expression: '1' } }], 'p2'))
  await expect.poll(read).toEqual(['NOT_ACTIONABLE'])
}

/** A session, and a page in a context created by a client beside the session's own. */
async function withPuppetPage(path: string) {
  const { id } = await start()
  const puppet: Puppet = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(id), defaultViewport: null })
  const context = await puppet.createBrowserContext()
  const page = await context.newPage()
  await page.goto(`${site().url}${path}`)
  return { id, puppet, context, page }
}

describe('a page in a context that a client made', () => {
  test('is one like any other for steps, pictures and observations', async () => {
    const { id } = await start()
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const context = await browser.newContext({ locale: 'de-DE', viewport: { width: 300, height: 200 } })
    const page = await context.newPage()
    await page.goto(`${site().url}/form`)
    const steps = await run(
      id,
      [
        { fill: { target: { css: '#user' }, value: 'Ada' } },
        { click: { target: { css: '[data-testid=go]' } } },
        { evaluate: { expression: '[navigator.language, innerWidth, out.textContent]' } },
        { screenshot: {} },
        { navigate: { url: `${site().url}/dialogs` } },
      ],
      'p2',
    )
    expect(outcomes(steps)).toEqual(['DONE', 'DONE', 'DONE', 'DONE', 'DONE'])
    expect(steps[2]!.result).toEqual(['de-DE', 300, 'Hello Ada/0'])
    expect(steps[3]!.artifact!.sizeBytes).toBeGreaterThan(0)
    expect(page.url()).toBe(`${site().url}/dialogs`)
    const query = `query ($id: ID!) { session(id: $id) { pages(id: "p2") {
      observation(screenshot: true) { url snapshot screenshot } } } }`
    const { session } = await tabwire().query<{
      session: { pages: { observation: { url: string; snapshot: string; screenshot: string } }[] }
    }>(query, { id })
    const { observation } = session.pages[0]!
    expect(observation).toMatchObject({ url: `${site().url}/dialogs`, snapshot: expect.stringContaining('Prompt') })
    expect(observation.screenshot.length).toBeGreaterThan(100)
    // Without a page id, the oldest page is still the default.
    expect((await run(id, [{ evaluate: { expression: 'location.href' } }]))[0]).toMatchObject({ pageId: 'p1' })
    expect(outcomes(await run(id, [{ closePage: {} }], 'p2'))).toEqual(['DONE'])
    await expect.poll(() => page.isClosed()).toBe(true)
    await browser.close()
    await terminate(id)
  })

  test('has dialogs that steps answer', async () => {
    const { id, puppet } = await withPuppetPage('/dialogs')
    const steps = await run(
      id,
      [
        { click: { target: { css: '#prompt' } } },
        { dialog: { accept: true, promptText: 'Ada' } },
        { evaluate: { expression: `document.querySelector('#prompt').textContent` } },
      ],
      'p2',
    )
    expect(outcomes(steps)).toEqual(['DONE', 'DONE', 'DONE'])
    expect(steps.map(({ details, result }) => [details['dialog'], result])).toMatchObject([
      [{ type: 'prompt', message: 'Name?' }, null],
      [{ type: 'prompt', message: 'Name?' }, null],
      [undefined, 'Ada'],
    ])
    await puppet.disconnect()
    await terminate(id)
  })

  test('has dialogs that its client may answer, or a step where the client does not', async () => {
    const { id, puppet, page } = await withPuppetPage('/dialogs')
    const asked = page.evaluate(() => confirm('by itself'))
    await untilHeldUp(id)
    expect(outcomes(await run(id, [{ dialog: { accept: false } }], 'p2'))).toEqual(['DONE'])
    expect(await asked).toBe(false)
    page.on('dialog', (dialog) => void dialog.accept('given'))
    expect(await page.evaluate(() => prompt('by itself'))).toBe('given')
    await puppet.disconnect()
    // The page hears the answer before the log does.
    const log = await untilLogged(id, (entries) => ofKind(entries, 'Dialog').length === 2)
    expect(ofKind(log, 'Dialog').map((entry) => entry['accepted'])).toEqual([false, true])
    await terminate(id)
  })

  test('is gone with its context, whatever was under way on it', async () => {
    const { id, puppet, context, page } = await withPuppetPage('/dialogs')
    const held = run(id, [{ evaluate: { expression: 'new Promise(() => { document.title = "held" })' } }], 'p2')
    await expect.poll(() => page.title()).toBe('held')
    await context.close()
    expect(outcomes(await held)).toEqual(['PAGE_CLOSED'])
    expect(await pageIds(id)).toEqual(['p1'])
    const { errors } = await tryRun(id, [{ evaluate: { expression: '1' } }], { pageId: 'p2' })
    expect(errors?.[0]?.extensions.code).toBe('NOT_FOUND')
    expect(outcomes(await run(id, [{ openPage: {} }]))).toEqual(['DONE'])
    await puppet.disconnect()
    await terminate(id)
  })

  test('outlives its client where that asked for nothing else, and what held it up is dismissed', async () => {
    const { id, puppet, page } = await withPuppetPage('/dialogs')
    page.evaluate(() => alert('held')).catch(() => undefined)
    await untilHeldUp(id)
    await puppet.disconnect()
    const isFree = async () => outcomes(await run(id, [{ evaluate: { expression: '1' } }], 'p2'))
    await expect.poll(isFree).toEqual(['DONE'])
    const again = await puppeteer.connect({ browserWSEndpoint: await cdpUrlOf(id), defaultViewport: null })
    expect(again.browserContexts()).toHaveLength(2)
    await again.disconnect()
    await terminate(id)
  })

  test('goes with a client that asked for that, also while a dialog holds it up', async () => {
    const { id } = await start()
    const browser = await chromium.connectOverCDP(await cdpUrlOf(id))
    const page = await (await browser.newContext()).newPage()
    page.on('dialog', () => undefined)
    page.evaluate(() => alert('held')).catch(() => undefined)
    await untilHeldUp(id)
    await browser.close()
    await expect.poll(() => pageIds(id)).toEqual(['p1'])
    await terminate(id)
  })
})
