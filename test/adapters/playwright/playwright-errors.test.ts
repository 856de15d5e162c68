import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findBrowserExecutable } from '../../../src/adapters/playwright/launch/browser-executable.ts'
import {
  coverIn,
  firstLineOf,
  hindranceIn,
  isPlaywrightError,
  LOOKS_AT_INPUT,
  netErrorIn,
  PLAYWRIGHT_ERRORS,
  refusedSelectorIn,
} from '../../../src/adapters/playwright/library/playwright-errors.ts'

let server: Server
let site: string
let browser: Browser
let context: BrowserContext
let page: Page

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/silent') return
    if (request.url === '/file') response.setHeader('content-disposition', 'attachment')
    response.setHeader('content-type', 'text/html').end('<p>here</p>')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
})

afterAll(async () => {
  await browser.close()
  server.closeAllConnections()
  server.close()
})

beforeEach(async () => {
  context = await browser.newContext()
  page = await context.newPage()
})

afterEach(() => context.close())

/** Long enough for Playwright to inspect the page, so that its log has the state; a busy machine may need more. */
const TIMEOUTS = [1_000, 5_000, 20_000]
let timeout = TIMEOUTS[0]!
const file = (name: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(name) })

/** Shows the document, and then runs the failing call. */
const shown = (html: string, act: () => Promise<unknown>) => async () => {
  await page.setContent(html)
  return await act()
}
/** Waits for something that never happens while the other work runs. */
const meanwhile = async (waiting: Promise<unknown>, happens: () => Promise<unknown>) => {
  waiting.catch(() => undefined)
  await happens()
  return await waiting
}
const select = (selector: string) => () => page.locator(selector).click({ timeout })
const forEver = () => page.evaluate(() => new Promise(() => {}))
const crash = () => page.goto('chrome://crash').catch(() => undefined)

/** The first error of a call that fails only occasionally. */
const untilItFails = async (act: () => Promise<unknown>) => {
  for (;;) await act()
}

/** For each pattern, in order, a call that causes that message of Playwright. */
const PROVOKED: Record<keyof typeof PLAYWRIGHT_ERRORS, (() => Promise<unknown>)[]> = {
  timeout: [select('#none')],
  crashed: [() => meanwhile(forEver(), crash)],
  closed: [
    () => meanwhile(forEver(), () => page.close()),
    shown('<iframe></iframe>', () => {
      const [, frame] = page.frames()
      const remove = () => page.evaluate("document.querySelector('iframe').remove()")
      return meanwhile(frame!.waitForSelector('#none'), remove)
    }),
  ],
  interrupted: [
    async () => {
      await page.goto(site)
      await untilItFails(async () => {
        // The browser is about to show this document when another navigation starts.
        const asked = page.waitForRequest(`${site}/moved`)
        await page.evaluate((url) => void (location.href = url), `${site}/moved`)
        await asked
        await page.goto(`${site}/other`)
      })
    },
  ],
  download: [() => page.goto(`${site}/file`)],
  notHtml: [shown('<svg><text>a</text></svg>', () => page.locator('text').innerText({ timeout }))],
  noPicture: [
    shown('<body style="width: 300000px; height: 300000px">', () => page.screenshot({ fullPage: true, timeout: 0 })),
  ],
  noFrame: [() => page.getByRef('f9e1').count()],
  invalidSelector: [
    select('css=:no-such'),
    select('css=['),
    select('engine=none'),
    select('engine=none'),
    select('css=['),
    select('css=a{}'),
    select('css=p >> internal:has=x'),
  ],
  invalidValue: [
    shown('<input>', () => page.locator('input').press('Foo', { timeout })),
    shown('<input type="number">', () => page.locator('input').fill('x', { timeout })),
    shown('<input type="file">', () => page.locator('input').setInputFiles([file('a'), file('b')], { timeout })),
    () => page.pdf({ pageRanges: 'x' }),
    () => page.pdf({ format: 'none' }),
  ],
  notActionable: [
    shown('<p>a</p>', () => page.locator('p').fill('x', { timeout })),
    shown('<p>a</p>', () => page.locator('p').check({ timeout })),
    shown('<input type="checkbox" onclick="return false">', () => page.locator('input').check({ timeout })),
    shown('<button style="position: fixed; left: -900px">a</button>', () =>
      page.locator('button').click({ timeout, force: true }),
    ),
    shown('<p>a</p>', () => page.locator('p').setInputFiles(file('a'), { timeout })),
    shown('<input type="checkbox">', () => page.locator('input').fill('x', { timeout })),
  ],
  found: [
    shown('<button hidden>a</button>', () => page.locator('button').click({ timeout })),
    shown('<button>a</button><b style="position: fixed; inset: 0"></b>', () =>
      page.locator('button').click({ timeout }),
    ),
  ],
  optionDisabled: [
    shown('<select><option disabled>a</option></select>', () => page.locator('select').selectOption('a', { timeout })),
  ],
  optionMissing: [
    shown('<select><option>a</option></select>', () => page.locator('select').selectOption('b', { timeout })),
  ],
}

/** How a call fails within the least of the times in which it fails as is meant. */
async function failureOf(
  act: () => Promise<unknown>,
  isMeant: (error: Error) => boolean = () => true,
  [least, ...longer] = TIMEOUTS,
): Promise<Error> {
  timeout = least!
  const error = await act().then(
    (result) => expect.fail(`it did not fail, but gave ${String(result)}`),
    (thrown: unknown) => thrown as Error,
  )
  return isMeant(error) || longer.length === 0 ? error : failureOf(act, isMeant, longer)
}

const isInTime = (error: Error) => !isPlaywrightError(error, 'timeout')
const isHindered = (error: Error) => hindranceIn(error) !== null

describe('each pattern matches what Playwright says', () => {
  const kinds = Object.keys(PROVOKED) as (keyof typeof PROVOKED)[]
  const cases = kinds.flatMap((kind) =>
    PLAYWRIGHT_ERRORS[kind].map((pattern: RegExp, index) => ({ kind, pattern, provoke: PROVOKED[kind][index] })),
  )

  test.each(cases)('$kind: $pattern', async ({ kind, pattern, provoke }) => {
    const error = await failureOf(provoke!, ({ message }) => pattern.test(message))
    expect(error.message).toMatch(pattern)
    expect(isPlaywrightError(error, kind)).toBe(true)
  })
})

describe('what a message holds', () => {
  test('is the network error of a navigation', async () => {
    const error = await failureOf(() => page.goto('http://127.0.0.1:1/'))
    expect(netErrorIn(error)).toBe('net::ERR_UNSAFE_PORT')
    expect(netErrorIn(await failureOf(select('#none')))).toBeNull()
  })

  test('is the selector that a script was refused', async () => {
    const error = await failureOf(() => page.evaluate("document.querySelector('p[')"))
    expect(refusedSelectorIn(error)).toBe('p[')
    expect(refusedSelectorIn(await failureOf(select('#none')))).toBeNull()
  })

  test('is what it says first, without the call and without the log', async () => {
    const ofPage = await failureOf(
      shown('<input>', () => page.locator('input').press('Foo', { timeout })),
      isInTime,
    )
    expect(firstLineOf(ofPage)).toBe('Unknown key: "Foo"')
    const ofScript = await failureOf(
      shown('<p>a</p>', () => page.locator('p').check({ timeout })),
      isInTime,
    )
    expect(firstLineOf(ofScript)).toBe('Not a checkbox or radio button')
    const ofBrowser = await failureOf(() => page.pdf({ pageRanges: 'x' }))
    expect(firstLineOf(ofBrowser)).toBe('Page range syntax error')
  })

  test('is what covers an element', async () => {
    const click = () => page.locator('button').click({ timeout })
    const cover = (html: string) => shown(`<button>a</button>${html}`, click)
    const isCovered = (error: Error) => coverIn(error) !== null
    const alone = await failureOf(cover('<b style="position: fixed; inset: 0">b</b>'), isCovered)
    expect(coverIn(alone)).toBe('<b>b</b>')
    const within = '<div id="over"><b style="position: fixed; inset: 0">b</b></div>'
    expect(coverIn(await failureOf(cover(within), isCovered))).toBe('<div id="over">…</div>')
    expect(coverIn(await failureOf(shown('<button hidden>a</button>', click)))).toBeNull()
  })

  test.each([
    ['not visible', '<input hidden>'],
    ['not enabled', '<input disabled>'],
    ['not editable', '<input readonly>'],
  ])('is that an element was %s', async (hindrance, html) => {
    const error = await failureOf(
      shown(html, () => page.locator('input').fill('x', { timeout })),
      isHindered,
    )
    expect(hindranceIn(error)).toBe(hindrance)
  })

  test.each([
    ['not stable', '@keyframes move { to { margin-left: 500px } } button { animation: move 1s infinite }'],
    ['outside of the viewport', 'button { position: fixed; left: -900px }'],
  ])('is that an element was %s', async (hindrance, style) => {
    const html = `<style>${style}</style><button>a</button>`
    const error = await failureOf(
      shown(html, () => page.locator('button').click({ timeout })),
      isHindered,
    )
    expect(hindranceIn(error)).toBe(hindrance)
    expect(hindranceIn(await failureOf(select('#none')))).toBeNull()
  })

  test('is how Playwright looks at an input before it gives it files', async () => {
    const error = await failureOf(
      shown('<p>a</p>', () => page.locator('p').setInputFiles(file('a'), { timeout })),
      ({ message }) => message.includes(LOOKS_AT_INPUT),
    )
    expect(error.message).toContain(LOOKS_AT_INPUT)
  })
})
