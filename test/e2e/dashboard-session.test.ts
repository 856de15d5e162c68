import { readFile } from 'node:fs/promises'
import { chromium, type Page } from 'playwright'
import { expect, test } from 'vitest'
import { sessionQuery } from '../support/dashboard-page.ts'
import { startTestSite } from '../support/test-site.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const { tabwire, site, start, get, terminate, openPage } = withDashboard(startTestSite)
let page: Page

async function open(id: string, panel?: string, origin = tabwire().url): Promise<void> {
  const permissions = ['clipboard-read', 'clipboard-write']
  page = (await openPage({ query: sessionQuery(id, panel), permissions, origin })).page
}

const act = (sessionId: string, actions: object[]) =>
  tabwire().query(
    'mutation ($sessionId: ID!, $actions: [ActionInput!]!) { runActions(sessionId: $sessionId, actions: $actions) { success } }',
    {
      sessionId,
      actions,
    },
  )
const grid = (name: string) => page.getByRole('grid', { name })
const rows = (name: string) => grid(name).getByRole('row')
const row = (name: string, text: string | RegExp) => rows(name).filter({ hasText: text })
const pane = (name: string) => page.getByRole('region', { name, exact: true })
const toggle = (name: string) => page.getByRole('button', { name, exact: true })
const copied = () => page.evaluate(() => navigator.clipboard.readText())

test('the console shows each line with its level and a link to where it comes from', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/console` }, 'LOADED')
  await open(id)
  await row('Console', 'from a timer').waitFor()
  const warning = row('Console', 'a warning')
  await expect.poll(() => warning.getByRole('gridcell').allInnerTexts()).toMatchObject({ 1: 'warning', 2: 'a warning' })
  const source = warning.getByRole('link')
  expect(await source.getAttribute('href')).toBe(`${site().url}/console`)
  expect(await source.innerText()).toMatch(/^console:2:\d+$/)
})

test('a page that could not be opened is told above the panels, until one can', async () => {
  const { id } = await start({ initialPrompt: 'http://no-such-host.invalid/' }, 'LOADED')
  await open(id)
  const banner = page.getByRole('alert').filter({ hasText: 'http://no-such-host.invalid/' })
  await banner.waitFor()
  expect(await banner.innerText()).toContain('net::ERR_NAME_NOT_RESOLVED')
  await act(id, [{ navigate: { url: `${site().url}/title` } }])
  await banner.waitFor({ state: 'detached' })
})

test('the log is downloaded as HAR and as NDJSON', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/title`, name: 'kept' }, 'LOADED')
  // A request is logged once its body has been read.
  await expect.poll(async () => (await get(id))?.networkRequestCount).toBe(1)
  await open(id)
  await toggle('Export').click()
  for (const [name, file] of [
    ['Download HAR', 'kept.har'],
    ['Download NDJSON', 'kept.ndjson'],
  ] as const) {
    const downloading = page.waitForEvent('download')
    await page.getByRole('link', { name }).click()
    const download = await downloading
    expect(download.suggestedFilename()).toBe(file)
    expect(await readFile(await download.path(), 'utf8')).toContain(`${site().url}/title`)
  }
})

test('the console is narrowed by levels and by words', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/console` }, 'LOADED')
  await open(id)
  await row('Console', 'from a timer').waitFor()
  await toggle('Errors').click()
  await expect.poll(() => rows('Console').count()).toBe(3)
  await toggle('Warnings').click()
  await expect.poll(() => rows('Console').count()).toBe(4)
  await page.getByLabel('Filter messages').fill('NOT GREATER')
  await expect.poll(() => rows('Console').count()).toBe(2)
  await row('Console', 'Assertion failed: one is not greater').waitFor()
  await page.getByLabel('Filter messages').fill('nowhere')
  await page.getByText('No entries match the filter').waitFor()
  await toggle('Clear filter').click()
  await expect.poll(() => rows('Console').count()).toBeGreaterThan(10)
})

test('a line opens in full, with the stack of an exception, and can be copied', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/exceptions` }, 'LOADED')
  await open(id)
  await row('Console', 'thrown on purpose').click()
  const line = pane('Message')
  await line.getByText(/at thrower/).waitFor()
  await line.getByRole('button', { name: 'Copy', exact: true }).click()
  await expect.poll(copied).toMatch(/TypeError: thrown on purpose\n +at thrower/)
  await line.getByRole('button', { name: 'Close' }).click()
  await line.waitFor({ state: 'detached' })
})

test('the network shows each request, when it ran beside the others, and everything that is known of it', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/fetches` }, 'LOADED')
  await expect.poll(async () => (await get(id))?.networkRequestCount).toBeGreaterThan(18)
  await open(id, 'network')
  await expect
    .poll(() => row('Network', 'missing').getByRole('gridcell').allInnerTexts())
    .toMatchObject({ 1: '404', 3: 'fetch' })
  const box = async (text: string) => (await row('Network', text).locator('.bar-time').first().boundingBox())!
  expect((await box('pixel.gif')).x).toBeLessThan((await box('revalidated')).x)

  await page.getByLabel('Failed only').check()
  await expect.poll(() => row('Network', 'pixel.gif').count()).toBe(0)
  await row('Network', 'no-such-host')
    .getByText(/net::ERR_/)
    .waitFor()
  await page.getByLabel('Failed only').uncheck()
  await page.getByLabel('Type').selectOption('image')
  await expect.poll(() => rows('Network').count()).toBe(2)
  await page.getByLabel('Type').selectOption('All types')
  await page.getByLabel('Filter by URL').fill('/post')
  await expect.poll(() => rows('Network').count()).toBe(2)
  await row('Network', 'post').click()
  const request = pane('Request')
  await request.getByText(`POST ${site().url}/post`).waitFor()
  for (const [name, value] of [
    ['Status', '201 Created'],
    ['Outcome', 'completed'],
    ['Protocol', 'http/1.1'],
    ['Priority', 'high'],
    ['Served by', 'network'],
    ['Sent', '500 B'],
    ['content-length', '500'],
  ]) {
    await request
      .locator('dl > div', { has: page.getByText(name!, { exact: true }) })
      .getByText(value!, { exact: true })
      .waitFor()
  }
  await request.getByRole('heading', { name: 'Timing' }).waitFor()
  await request.getByRole('heading', { name: 'Call stack' }).waitFor()
  await request.getByText(`script ${site().url}/fetches`).first().waitFor()
  await request.getByRole('heading', { name: 'Cookies sent' }).waitFor()

  // The end reason is shown as text beside its color.
  await page.getByLabel('Filter by URL').fill('aborted')
  await expect
    .poll(() => row('Network', 'aborted').getByRole('gridcell').allInnerTexts())
    .toMatchObject({ 1: 'canceled' })
  expect(await row('Network', 'aborted').getAttribute('data-tone')).toBe('WARNING')
})

test('requests in flight are counted, and named on demand', async () => {
  // Before, the document itself is pending.
  const { id } = await start({ initialPrompt: `${site().url}/waiting` }, 'LOADED')
  await open(id, 'network')
  await toggle('1 pending').click()
  const named = page.getByRole('dialog').getByRole('listitem')
  await expect.poll(() => named.allInnerTexts()).toEqual([expect.stringMatching(/s GET .*\/slow\?ms=60000$/)])
})

test('the timeline tells what was done and how it went', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  await open(id, 'timeline')
  await row('Timeline', `${site().url}/title`).waitFor()
  await act(id, [
    { navigate: { url: `${site().url}/text` } },
    { click: { target: { css: '#nowhere' }, timeoutMs: 100 } },
  ])
  await row('Timeline', /Navigate[^d].*\/text/).waitFor()
  const failed = row('Timeline', /Click.*css=#nowhere/)
  await failed.click()
  await pane('Event details').getByText('"code": "').waitFor()
  await page.getByLabel('Actions only').check()
  await expect.poll(() => rows('Timeline').count()).toBe(3)
})

test('a link that names the timeline as it was called before opens it', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  const earlierName = 'story'
  await open(id, earlierName)
  await expect.poll(() => rows('Timeline').count()).toBeGreaterThan(0)
})

test('a WebSocket shows its messages with direction, size and text', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/websocket` }, 'LOADED')
  await open(id, 'timeline')
  await row('Timeline', /WebSocket closed.*\/echo/).click()
  const messages = pane('Event details').locator('.message-row')
  const directions = ['Sent', 'Received'].map((name) => messages.filter({ has: page.getByRole('img', { name }) }))
  for (const direction of directions) {
    await expect.poll(() => direction.getByText(/^(one|two)$/).allInnerTexts()).toEqual(['one', 'two'])
  }
  expect(await messages.first().innerText()).toMatch(/3 B\s+one$/)
})

test('artifacts appear as they are kept, with previews; a trace opens in the viewer', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/title`, record: ['TRACE'] }, 'LOADED')
  // Another name of the server than that of its links.
  await open(id, 'artifacts', tabwire().url.replace('127.0.0.1', 'localhost'))
  await page.getByText('No artifacts yet').waitFor()
  await act(id, [{ screenshot: {} }])
  const preview = page.getByRole('img', { name: /^Preview of screenshot/ })
  await expect.poll(() => preview.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBe(1920)
  await terminate(id)
  const [viewer] = await Promise.all([
    page.waitForEvent('popup'),
    page.getByRole('link', { name: 'Open in the trace viewer' }).click(),
  ])
  await viewer.getByText('Screenshot', { exact: false }).first().waitFor()
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Download' }).first().click()
  expect((await download).suggestedFilename()).toMatch(/^screenshot.*\.png$/)
})

test('details tell how the session is, what it was started with, and its end', async () => {
  const { id } = await start(
    { name: 'in detail', locale: 'de-CH', initialPrompt: `${site().url}/title`, metadata: { team: 'red' } },
    'LOADED',
  )
  await open(id, 'details')
  const fact = (name: string) => page.locator('dl > div', { has: page.getByText(name, { exact: true }) }).locator('dd')
  await expect.poll(() => fact('Health').innerText()).toBe('Healthy')
  expect(await fact('Locale').innerText()).toBe('de-CH')
  expect(await fact('Metadata').innerText()).toContain('"team": "red"')
  await page.getByText(`A title ${site().url}/title`).first().waitFor()
  await page.getByRole('button', { name: 'Terminate in detail' }).click()
  await page.getByRole('alertdialog').getByRole('button', { name: 'Terminate', exact: true }).click()
  await expect.poll(() => fact('Status').innerText()).toMatch(/^Closed\s*· terminated$/)
  await expect.poll(() => fact('Health').innerText()).toBe('Ended')
})

test('the operation behind each panel can be copied, and runs', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/console` }, 'LOADED')
  await terminate(id)
  await open(id)
  for (const panel of ['Console', 'Network', 'Timeline', 'Artifacts', 'Details']) {
    await page.getByRole('tab', { name: panel }).click()
    await page.getByRole('tabpanel', { name: panel }).getByRole('button', { name: 'GraphQL' }).click()
    await expect
      .poll(copied)
      .toContain(panel === 'Timeline' ? 'WatchTimeline' : panel === 'Details' ? 'WatchSession' : panel)
    const text = await copied()
    const variables = JSON.parse(/^# \{[\s\S]*?^(?:# )?\}/m.exec(text)![0].replaceAll(/^# /gm, '')) as Record<
      string,
      unknown
    >
    expect(Object.values(variables)).toContain(id)
    const results = tabwire()
      .client()
      .iterate({ query: text, variables: { ...variables, after: null } })
    expect((await results.next()).value).not.toHaveProperty('errors')
    await results.return?.()
  }
})

test('Playwright connects with the snippet that can be copied, and its coming and going are told', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/title` }, 'LOADED')
  await open(id, 'timeline')
  await page.getByRole('button', { name: 'Connect' }).click()
  await page.getByRole('button', { name: 'Copy: Puppeteer' }).click()
  await expect.poll(copied).toMatch(/puppeteer\.connect\(\{ browserWSEndpoint: 'ws:/)
  await page.getByRole('button', { name: 'Copy: Playwright' }).click()
  await expect.poll(copied).toMatch(/connectOverCDP\('ws:/)
  const client = await chromium.connectOverCDP(/connectOverCDP\('([^']+)'\)/.exec(await copied())![1]!)
  expect(await client.contexts()[0]!.pages()[0]!.title()).toBe('A title')
  await client.close()
  await page.keyboard.press('Escape')
  await row('Timeline', /Client attached.*Playwright/).waitFor()
  await row('Timeline', /Client detached.*Playwright.*client left/).waitFor()
  await page.getByRole('button', { name: 'Terminate' }).waitFor()
})

test('an ended session reads the same', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/console` }, 'LOADED')
  await open(id)
  await row('Console', 'from a timer').waitFor()
  const live = await rows('Console').allInnerTexts()
  await terminate(id)
  await page.getByText('Closed · terminated').waitFor()
  await page.reload()
  await row('Console', 'from a timer').waitFor()
  expect(await rows('Console').allInnerTexts()).toEqual(live)
})

test('a session that is not there says so, with a way back', async () => {
  await open('nothing')
  await page.getByRole('alert').getByText('Session not found.').waitFor()
  await page.getByRole('link', { name: 'All sessions' }).click()
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()
  expect(page.url()).toBe(`${tabwire().url}/`)
})

test('a log that cannot be read says why, and goes on at a click', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/console` }, 'LOADED')
  await open(id, 'timeline')
  let isRefused = true
  await page.routeWebSocket(/graphql/, (socket) => {
    const server = socket.connectToServer()
    socket.onMessage((message) => {
      const { id: operation, type } = JSON.parse(String(message)) as { id: string; type: string }
      if (type !== 'subscribe' || !String(message).includes('WatchConsole(') || !isRefused) return server.send(message)
      // Like the server's response to a subscription that it cannot start.
      const errors = [{ message: 'Something went wrong.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }]
      socket.send(JSON.stringify({ id: operation, type: 'next', payload: { data: null, errors } }))
      socket.send(JSON.stringify({ id: operation, type: 'complete' }))
    })
  })
  await page.reload()
  await page.getByRole('tab', { name: 'Console' }).click()
  const problem = page.getByRole('tabpanel', { name: 'Console' }).getByRole('alert')
  await problem.getByText(/Something went wrong\./).waitFor()
  // Refused until the click itself: a retry that succeeded before it would take the button away.
  await page.exposeFunction('goOn', () => {
    isRefused = false
  })
  await problem
    .getByRole('button')
    .evaluate((button) => button.addEventListener('click', () => void Reflect.get(globalThis, 'goOn')(), true))
  await problem.getByRole('button').click()
  await row('Console', 'from a timer').waitFor()
  expect(await problem.count()).toBe(0)
})
