import type { Locator, Page } from 'playwright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCuttableProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { readRows, sessionQuery } from '../support/dashboard-page.ts'
import { startTestApp } from '../support/start-app.ts'
import { startTestSite } from '../support/test-site.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const PATIENT = { timeout: 60_000 }
const { tabwire, site, start, terminate, get, openPage } = withDashboard(startTestSite, {
  testTimeout: 180_000,
  allowComplaints: true,
})
let proxy: CuttableProxy
let page: Page

beforeAll(async () => {
  proxy = await startCuttableProxy(tabwire().url)
})

afterAll(() => proxy.close())

async function open(id: string, panel?: string): Promise<void> {
  page = (await openPage({ query: sessionQuery(id, panel), origin: proxy.url })).page
}

const grid = () => page.getByRole('grid', { name: 'Console' })
const line = (text: string | RegExp) => grid().locator('.cell-text').getByText(text, { exact: true })
const shown = () => page.getByTestId('log-count').innerText()
const connection = () => page.getByRole('banner').getByRole('status').first().innerText()
const fromEnd = (element: Locator) =>
  element.evaluate(({ scrollHeight, clientHeight, scrollTop }) => scrollHeight - clientHeight - scrollTop)
const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}`)

test('it follows the end, stops when one scrolls up, counts what comes, and goes on at a click', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/flood?n=100000&per=5&ms=50` })
  await open(id)
  await line(/^line \d{3,}$/)
    .first()
    .waitFor()
  expect(await fromEnd(grid())).toBeLessThan(30)

  await grid().hover()
  await page.mouse.wheel(0, -600)
  const resume = page.getByRole('button', { name: /\d new entries$/ })
  await resume.waitFor()
  const top = () => grid().evaluate(({ scrollTop }) => scrollTop)
  // The wheel may turn it over several frames, and only after the page has heard of it.
  const isFollowing = async () => (await fromEnd(grid())) < 30
  const isStill = () =>
    grid().evaluate(async (element) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
      const before = element.scrollTop
      for (let frames = 0; frames < 3; frames += 1) await frame()
      return element.scrollTop === before
    })
  await expect.poll(async () => !(await isFollowing()) && (await isStill())).toBe(true)
  const stopped = await top()
  const unseen = async () => Number(/^\d+/.exec(await resume.innerText())?.[0])
  const before = await unseen()
  await expect.poll(unseen).toBeGreaterThan(before + 50)
  // The visible rows do not move when new ones arrive below.
  expect(await top()).toBe(stopped)

  await resume.click()
  await expect.poll(() => fromEnd(grid())).toBeLessThan(30)
  const height = () => grid().evaluate(({ scrollHeight }) => scrollHeight)
  const first = await height()
  await expect.poll(height).toBeGreaterThan(first + 2_000)
  expect(await fromEnd(grid())).toBeLessThan(30)

  // Scrolling back to the end does the same.
  await page.mouse.wheel(0, -600)
  await resume.waitFor()
  await page.mouse.wheel(0, 1_000_000)
  await resume.waitFor({ state: 'detached' })
})

test('a connection that breaks in the middle of a flood shows, and goes on without a hole', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/flood?n=6000&per=20&ms=20` })
  await open(id)
  const sent: string[] = []
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))))
  await page.reload()
  await line(/^line \d+$/)
    .first()
    .waitFor()
  for (let time = 1; time <= 2; time += 1) {
    proxy.cut()
    await expect.poll(connection).toBe('Connection lost, reconnecting…')
    proxy.mend()
    await expect.poll(connection).toBe('Live')
  }
  await expect.poll(shown, PATIENT).toBe('6,000')
  expect(await readRows(page, 'Console', '.cell-text')).toEqual(lines(1, 6_000))
  // It came back to where it was, instead of reading it all again.
  const subscriptions = sent.filter((message) => message.includes('WatchConsole('))
  expect(subscriptions.map((message) => /"after":"[^"]+"/.test(message))).toEqual([false, true, true])
})

test('a session that ended while the connection was lost reads to its end', async () => {
  const { id } = await start({ name: 'gone meanwhile', initialPrompt: `${site().url}/flood?n=2000&per=20&ms=20` })
  await open(id)
  await line(/^line \d+$/)
    .first()
    .waitFor()
  proxy.cut()
  await expect.poll(connection).toBe('Connection lost, reconnecting…')
  await expect.poll(async () => (await get(id))?.consoleMessageCount, PATIENT).toBe(2_000)
  await terminate(id)
  proxy.mend()
  await expect.poll(shown, PATIENT).toBe('2,000')
  await page.getByText('Closed').waitFor()
  await page.getByRole('link', { name: 'All sessions' }).click()
  await page.getByRole('table', { name: 'Ended' }).getByRole('link', { name: 'gone meanwhile' }).waitFor()
  expect(await page.getByRole('table', { name: 'Live' }).getByRole('link', { name: 'gone meanwhile' }).count()).toBe(0)
})

test('the list drops what ended while the connection was lost, and what it complained of', async () => {
  const { id } = await start({ name: 'listed' })
  page = (await openPage({ origin: proxy.url })).page
  const live = page.getByRole('table', { name: 'Live' }).getByRole('link', { name: 'listed' })
  await live.waitFor()
  proxy.cut()
  await expect.poll(connection).toBe('Connection lost, reconnecting…')
  await page.getByLabel('Filter by name').fill('listed')
  const problem = page.getByRole('main').getByRole('alert')
  await problem.getByText(/Can’t reach the server/).waitFor()
  await terminate(id)
  proxy.mend()
  await page.getByRole('table', { name: 'Ended' }).getByRole('link', { name: 'listed' }).waitFor()
  await live.waitFor({ state: 'detached' })
  await problem.waitFor({ state: 'detached' })
})

test('the list has no hole where more ended while the connection was lost than a page of it holds', async () => {
  const end = async (name: string) => terminate((await start({ name }, 'CREATING')).id)
  await end('before')
  page = (await openPage({ origin: proxy.url })).page
  const ended = page.getByRole('table', { name: 'Ended' }).getByRole('link')
  await ended.getByText('before').waitFor()
  proxy.cut()
  await expect.poll(connection).toBe('Connection lost, reconnecting…')
  const missed = Array.from({ length: 33 }, (_, index) => `missed ${index}`)
  for (const name of missed) await end(name)
  proxy.mend()
  await ended.getByText('missed 32').waitFor()
  await page.getByRole('button', { name: 'Show more' }).click()
  await expect.poll(() => ended.allInnerTexts()).toEqual(expect.arrayContaining([...missed, 'before']))
})

test('a hundred thousand lines: only those in sight exist, and each is at hand', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/flood?n=100000&per=1000&ms=100` })
  await expect.poll(async () => (await get(id))?.consoleMessageCount, { timeout: 120_000 }).toBe(100_000)
  await open(id)
  await expect.poll(shown, PATIENT).toBe('100,000')
  await line('line 100000').waitFor()
  expect(await grid().getAttribute('aria-rowcount')).toBe('100001')
  expect(await grid().getByRole('row').count()).toBeLessThan(100)

  await grid().evaluate((element) => {
    element.scrollTop = 50_000 * 24
  })
  await line('line 50001').waitFor()
  await grid().focus()
  await page.keyboard.press('Home')
  await line('line 1').waitFor()
  await page.keyboard.press('End')
  await line('line 100000').waitFor()

  await page.getByLabel('Filter messages').fill('line 7777')
  await expect.poll(shown).toBe('11 of 100,000')
  expect(await readRows(page, 'Console', '.cell-text')).toEqual(['line 7777', ...lines(77_770, 77_779)])
})

test('what could not be recorded shows', async () => {
  const limited = await startTestApp({ maxLogEntries: 500 })
  const { startSession } = await limited.query<{ startSession: { id: string } }>(
    'mutation ($input: StartSessionInput) { startSession(input: $input, waitUntil: LOADED) { id } }',
    { input: { initialPrompt: `${site().url}/burst?n=2000` } },
  )
  const dashboard = await openPage({ of: limited, query: sessionQuery(startSession.id) })
  page = dashboard.page
  const tag = page.getByText(/^[\d,]+ could not be recorded$/)
  // Updated in steps: a first one immediately, the rest a second later.
  await expect.poll(async () => Number((await tag.innerText()).replace(/\D/g, '')), PATIENT).toBeGreaterThan(1_000)
  await page.getByRole('tab', { name: 'Timeline' }).click()
  await page
    .getByText(/entries could not be recorded \(log limit\)/)
    .first()
    .waitFor()
  await dashboard.context.close()
  await limited.close()
})
