import { chromium, type Browser, type BrowserContext, type Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { findBrowserExecutable } from '../../src/adapters/playwright/launch/browser-executable.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()
// A busy machine takes its time to run five megabytes of script.
vi.setConfig({ testTimeout: 120_000 })

let site: TestSite
let tabwire: TestApp
let browser: Browser
let context: BrowserContext
let page: Page
/** Requests of the page to other hosts: refused, as if there were no network. */
let outside: string[]
/** Errors and warnings of the browser. */
let complaints: string[]

beforeAll(async () => {
  site = await startTestSite()
  tabwire = await startTestApp({ warmBrowsers: 1 })
  const executablePath = findBrowserExecutable(process.env['TABWIRE_BROWSER_PATH'] ?? null)
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
})

beforeEach(async () => {
  outside = []
  complaints = []
  context = await browser.newContext({ viewport: { width: 1400, height: 850 } })
  context.setDefaultTimeout(60_000)
  await context.route(
    (url) => url.origin !== tabwire.url,
    (route) => {
      outside.push(route.request().url())
      return route.abort('internetdisconnected')
    },
  )
  page = await context.newPage()
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
})

afterEach(() => context.close())

afterAll(async () => {
  await browser.close()
  await tabwire.close()
  await site.close()
})

async function open(link: string): Promise<void> {
  await page.goto(link)
  // The operations of the first tab are there, and the schema has been fetched and understood.
  await page.locator('.graphiql-query-editor', { hasText: 'StartSession' }).waitFor()
  await page.locator('.graphiql-spinner').waitFor({ state: 'detached' })
}

async function setVariables(variables: object): Promise<void> {
  await page.getByRole('button', { name: 'Variables' }).click()
  await page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines').click()
  await page.keyboard.press('Control+A')
  await page.keyboard.insertText(JSON.stringify(variables))
  // The editor auto-closes brackets as if typed, so there is one too many.
  await page.keyboard.press('Control+Shift+End')
  await page.keyboard.press('Delete')
}

async function run(operation: string): Promise<void> {
  await page.locator('.graphiql-execute-button').click()
  await page.getByRole('menuitem', { name: operation }).click()
}

/** Text of the result, including the editor's non-breaking spaces. */
const result = async () => (await page.locator('.result-window').innerText()).replaceAll('\u00a0', ' ')

/** The editor renders only visible lines. */
async function scrollResult(to: 'Home' | 'End'): Promise<void> {
  await page.locator('.result-window .view-lines').click()
  await page.keyboard.press(`Control+${to}`)
}

const notice = () => page.locator('#notice')

test('with the network cut off it loads, signed in from the link, and tells nobody the code', async () => {
  const link = tabwire.app.signInUrl('graphiql')
  await open(link)
  expect(page.url()).toBe(`${tabwire.url}/graphiql`)
  expect(await notice().isVisible()).toBe(false)
  await page.getByRole('button', { name: 'Headers' }).click()
  const stored = await page.evaluate(() => localStorage.getItem('tabwire.apiKey'))
  const { apiKey } = JSON.parse(stored!) as { apiKey: string }
  expect(apiKey).toMatch(/^tw_/)
  await expect.poll(() => page.locator('.graphiql-editor-tool').innerText()).toContain(apiKey)
  // Signing out removes the one copy there is.
  const others = await page.evaluate(() => {
    const rest = Object.entries(localStorage).filter(([name]) => name !== 'tabwire.apiKey')
    return JSON.stringify([rest, Object.entries(sessionStorage)])
  })
  expect(others).not.toContain(apiKey)
  expect(outside).toEqual([])
  expect(complaints).toEqual([])
})

test('it starts a session, and the lines of its console appear while the page writes them', async () => {
  await open(tabwire.app.signInUrl('graphiql'))
  await setVariables({ url: `${site.url}/ticker?ms=100` })
  await run('StartSession')
  await expect.poll(result).toContain('"status": "RUNNING"')
  // The pane breaks long lines, so the id comes from the API.
  const { sessions } = await tabwire.query<{ sessions: { nodes: { id: string }[] } }>('{ sessions { nodes { id } } }')
  const session = sessions.nodes[0]?.id

  await setVariables({ session })
  await run('WatchConsole')
  await expect.poll(result).toContain('"text": "tick 1"')
  const tick = async () => {
    await scrollResult('End')
    return Number([...(await result()).matchAll(/"text": "tick (\d+)"/g)].at(-1)?.[1] ?? 0)
  }
  const first = await tick()
  await expect.poll(tick).toBeGreaterThan(first)
  // The same button stops it again.
  await page.locator('.graphiql-execute-button').click()

  await run('TerminateSession')
  await expect.poll(result).toContain('"endReason": "TERMINATED"')
  expect(outside).toEqual([])
  expect(complaints).toEqual([])
})

test('a log shows from its first entry on, within bounds, and every state that is no log as it is now', async () => {
  const { startSession } = await tabwire.query<{ startSession: { id: string } }>(
    'mutation ($url: String!) { startSession(input: {initialPrompt: $url}, waitUntil: LOADED) { id } }',
    { url: `${site.url}/flood?n=40&per=1&ms=20` },
  )
  const session = startSession.id
  await open(tabwire.app.signInUrl('graphiql'))
  await setVariables({ session })
  await run('WatchConsole')
  await expect
    .poll(async () => {
      await scrollResult('End')
      return result()
    })
    .toContain('"text": "line 40"')
  await scrollResult('Home')
  await expect.poll(result).toContain('"text": "line 1"')
  await page.locator('.graphiql-execute-button').click()

  await run('WatchStatus')
  await expect.poll(result).toContain('"title": "Flood"')
  await tabwire.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id: session })
  await expect.poll(result).toContain('"endReason": "TERMINATED"')

  const long = await tabwire.query<{ startSession: { id: string } }>(
    'mutation ($url: String!) { startSession(input: {initialPrompt: $url}, waitUntil: LOADED) { id } }',
    { url: `${site.url}/burst?n=5000` },
  )
  const { id } = long.startSession
  const count = () =>
    tabwire.query<{ session: { consoleMessageCount: number } }>(
      'query ($id: ID!) { session(id: $id) { consoleMessageCount } }',
      { id },
    )
  await expect.poll(count).toEqual({ session: { consoleMessageCount: 5000 } })
  await tabwire.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  await setVariables({ session: id })
  await run('WatchConsole')
  await expect.poll(result).toContain('The last 300 of 5000 entries.')
  await expect.poll(result).toContain('"text": "line 4701"')
  expect(outside).toEqual([])
  expect(complaints).toEqual([])
})

test('what is refused shows, and a link leads back to the dashboard', async () => {
  await open(tabwire.app.signInUrl('graphiql'))
  await setVariables({ session: 'none' })
  await run('WatchConsole')
  await expect.poll(result).toContain('"code": "NOT_FOUND"')
  await page.getByRole('link', { name: 'Tabwire dashboard' }).click()
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()
  expect(page.url()).toBe(`${tabwire.url}/`)
})

test('a reload stays signed in, with what was there', async () => {
  await open(tabwire.app.signInUrl('graphiql'))
  await page.reload()
  await page.locator('.graphiql-query-editor', { hasText: 'StartSession' }).waitFor()
  expect(await page.getByRole('tab').count()).toBe(1)
  await run('ListSessions')
  await expect.poll(result).toContain('"totalCount"')
})

test('a link that was used says what to do', async () => {
  const link = tabwire.app.signInUrl('graphiql')
  await open(link)
  const other = await context.newPage()
  await other.goto(link)
  await expect.poll(() => other.locator('#notice').innerText()).toMatch(/expired or was used already. Open a new one/)
  expect(other.url()).toBe(`${tabwire.url}/graphiql`)
})

test('without a link it says what to do', async () => {
  await page.goto(`${tabwire.url}/graphiql`)
  await expect.poll(() => notice().innerText()).toMatch(/not signed in.*Open the link/)
  expect(page.url()).toBe(`${tabwire.url}/graphiql`)
})

test('its files are kept by browsers and sent compressed', async () => {
  const html = await (await fetch(`${tabwire.url}/graphiql`)).text()
  const paths = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!)
  expect(paths).toHaveLength(4)
  for (const path of paths) {
    const response = await fetch(`${tabwire.url}/${path}`, { headers: { 'accept-encoding': 'br' } })
    expect(response.headers.get('content-encoding')).toBe('br')
    expect(response.headers.get('cache-control')).toContain('immutable')
    const etag = response.headers.get('etag') ?? ''
    const again = await fetch(`${tabwire.url}/${path}`, { headers: { 'if-none-match': etag } })
    expect(again.status).toBe(304)
    const plain = await fetch(`${tabwire.url}/${path}`, { headers: { 'accept-encoding': 'identity' } })
    expect(plain.headers.get('content-encoding')).toBeNull()
    expect(await plain.text()).toBe(await response.text())
  }
})
