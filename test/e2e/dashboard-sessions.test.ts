import type { Page } from 'playwright'
import { expect, test } from 'vitest'
import type { DashboardPage } from '../support/dashboard-page.ts'
import { readDocument } from '../support/snippets.ts'
import { startTestSite } from '../support/test-site.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const { tabwire, site, start, get, terminate, browser, openPage } = withDashboard(startTestSite, {
  allowComplaints: true,
})
let dashboard: DashboardPage
let page: Page

async function open(options?: Parameters<typeof openPage>[0]): Promise<void> {
  dashboard = await openPage(options)
  page = dashboard.page
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()
  await expect.poll(connection).toBe('Live')
}

const connection = () => page.getByRole('banner').getByRole('status').first().innerText()
const row = (list: 'Live' | 'Ended', name: string) =>
  page
    .getByRole('table', { name: list })
    .getByRole('row')
    .filter({ has: page.getByRole('link', { name, exact: true }) })

/** The entry by which all tabs are signed in. */
const stored = () => page.evaluate(() => localStorage.getItem('tabwire.apiKey'))
const signOut = (from: Page) => from.getByRole('button', { name: 'Sign out' }).click()

test('the printed link signs in, tells nobody the code, and asks no other host for anything', async () => {
  await open()
  expect(page.url()).toBe(`${tabwire().url}/`)
  expect(await stored()).toContain('"apiKey":"tw_')
  // Nothing that the browser would send automatically, on any site's request.
  expect(await dashboard.context.cookies()).toEqual([])
  await page.reload()
  await expect.poll(connection).toBe('Live')
  expect(dashboard.outside).toEqual([])
  expect(dashboard.complaints).toEqual([])
})

test('its files are kept by browsers and sent compressed, under a policy without exceptions', async () => {
  await open()
  const answer = await fetch(`${tabwire().url}/`)
  const policy = answer.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  const paths = [...(await answer.text()).matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]!)
  expect(paths).toHaveLength(3)
  for (const path of paths) {
    const response = await fetch(`${tabwire().url}/${path}`, { headers: { 'accept-encoding': 'br' } })
    expect(response.headers.get('content-encoding')).toBe('br')
    expect(response.headers.get('cache-control')).toContain('immutable')
  }
})

test('without a key it says how to get one, and takes one', async () => {
  dashboard = await openPage()
  page = dashboard.page
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('Open the link that the server prints').waitFor()
  await page.getByLabel('Or paste an API key').fill('tw_nonsense')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').getByText('Invalid or revoked API key').waitFor()
  await page.getByLabel('Or paste an API key').fill(tabwire().apiKey)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect.poll(connection).toBe('Live')
})

test('signing in and out holds for all tabs, GraphiQL included', async () => {
  await open()
  const other = await dashboard.context.newPage()
  await other.goto(`${tabwire().url}/`)
  await other.getByRole('heading', { name: 'Sessions' }).waitFor()
  const graphiql = await dashboard.context.newPage()
  await graphiql.goto(`${tabwire().url}/graphiql`)
  await graphiql.locator('.graphiql-query-editor', { hasText: 'StartSession' }).waitFor()
  expect(await graphiql.locator('#notice').isVisible()).toBe(false)

  await signOut(other)
  await page.getByLabel('Or paste an API key').waitFor()
  await graphiql.locator('#notice', { hasText: 'You are not signed in' }).waitFor()
  expect(await stored()).toBe(null)

  await page.getByLabel('Or paste an API key').fill(tabwire().apiKey)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await other.getByRole('heading', { name: 'Sessions' }).waitFor()
})

test.each([
  ['is too old', () => ({ apiKey: 'tw_old', keptUntil: Date.now() - 1 })],
  ['would be kept for too long', () => ({ apiKey: 'tw_long', keptUntil: Date.now() + 13 * 3_600_000 })],
  ['is something else', () => ['tw_other']],
])('a stored key that %s is removed', async (_, entry) => {
  await open()
  await page.evaluate((value) => localStorage.setItem('tabwire.apiKey', value), JSON.stringify(entry()))
  await page.reload()
  await page.getByLabel('Or paste an API key').waitFor()
  expect(await stored()).toBe(null)
})

test('who follows the README sees why the request of the demo page failed', async () => {
  await open()
  const [, reported = ''] = /^\*\*In the dashboard\.\*\*([^]*?)\n\n/m.exec(readDocument('README.md')) ?? []
  const labels = [...reported.matchAll(/(?<!\*)\*([^*]+)\*(?!\*)/g)].map(([, label]) => label!)
  const network = labels.pop()!
  expect(labels).toHaveLength(3)
  for (const name of labels) await page.getByRole('button', { name, exact: true }).click()
  await page.getByRole('tab', { name: network }).click()
  const [, name = ''] = /the red request, `(\w+)`/.exec(reported) ?? []
  await page.getByRole('grid', { name: network }).getByText(name, { exact: true }).first().click()
  const pane = page.getByRole('region', { name: 'Request' })
  const reason = pane.getByText('The payment provider did not respond', { exact: false })
  await reason.waitFor()
  // Without scrolling.
  const [seen, whole] = await Promise.all([reason.boundingBox(), pane.boundingBox()])
  expect(seen!.y + seen!.height).toBeLessThan(whole!.y + whole!.height)
  await expect.poll(() => pane.innerText()).toContain('/demo/orders/42')
})

test('a link that was used says what to do', async () => {
  await open()
  const link = tabwire().app.signInUrl('dashboard')
  const first = await browser().newContext()
  await (await first.newPage()).goto(link)
  await expect.poll(() => first.pages()[0]!.url()).toBe(`${tabwire().url}/`)
  const second = await browser().newContext()
  const late = await second.newPage()
  await late.goto(link)
  await late
    .getByRole('alert')
    .getByText(/expired or was used already. Open a new one/)
    .waitFor()
  expect(late.url()).toBe(`${tabwire().url}/`)
  await first.close()
  await second.close()
})

test('the list counts console errors and failed requests as they happen', async () => {
  await open()
  const { id } = await start({ name: 'faulty', initialPrompt: `${site().url}/title` }, 'LOADED')
  await row('Live', 'faulty').getByText('Running').waitFor()
  const errors = (label: string) => row('Live', 'faulty').getByRole('img', { name: label, exact: true })
  expect(await row('Live', 'faulty').getByRole('img').count()).toBe(0)
  const run = (expression: string) =>
    tabwire().query(
      `mutation ($id: ID!, $expression: String!) {
        runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`,
      { id, expression },
    )
  await run(`console.error('one')`)
  await errors('1 error').waitFor()
  expect(await errors('1 error').innerText()).toBe('1')
  // The browser complains of the status, too.
  await run(`fetch('/broken').then((response) => response.text())`)
  await errors('1 failed').waitFor()
  await errors('2 errors').waitFor()
  await terminate(id)
  const ended = row('Ended', 'faulty')
  await ended.getByRole('img', { name: '2 errors' }).waitFor()
  await ended.getByRole('img', { name: '1 failed' }).waitFor()
})

test('a session appears when it starts, changes as it goes on, and moves to the ended ones', async () => {
  await open()
  const { id } = await start({ name: 'watched', initialPrompt: `${site().url}/ticker?ms=50` })
  await row('Live', 'watched').getByText('Running').waitFor()
  // Until the title is known, the row has the URL twice: hidden, too, for narrow windows.
  await row('Live', 'watched').getByTitle(`${site().url}/ticker?ms=50`).waitFor()
  const lines = async () => Number((await row('Live', 'watched').getByRole('cell').nth(4).innerText()).replace(',', ''))
  const before = await lines()
  await expect.poll(lines).toBeGreaterThan(before)
  await terminate(id)
  await row('Ended', 'watched').getByText('Closed · terminated').waitFor()
  await row('Live', 'watched').waitFor({ state: 'detached' })
})

test('one can be started with a form, whose errors stand where they were made', async () => {
  await open()
  await page.getByRole('button', { name: 'Start session' }).click()
  const form = page.getByRole('dialog', { name: 'Start session' })
  await form.getByLabel('URL, or a task in words').fill('file:///etc/passwd')
  await form.getByLabel('Width').fill('7')
  await form.getByRole('button', { name: 'Start' }).click()
  await form.getByLabel('Width').locator('..').getByRole('alert').waitFor()
  await form.getByLabel('URL, or a task in words').locator('..').getByRole('alert').waitFor()

  await form.getByLabel('URL, or a task in words').fill(`${site().url}/title`)
  await form.getByLabel('Name').fill('from the form')
  await form.getByLabel('Width').fill('800')
  await form.getByLabel('Height').fill('600')
  await form.getByLabel('Keep alive').check()
  await form.getByText('More options').click()
  await form.getByLabel('Locale').fill('de-CH')
  await form.getByRole('button', { name: 'Start' }).click()
  await page.getByRole('heading', { name: 'from the form' }).waitFor()
  const id = new URL(page.url()).searchParams.get('session')!
  expect(await get(id)).toMatchObject({ viewport: { width: 800, height: 600 }, keepAlive: true })
  await page.locator('.session-where').getByText('A title').waitFor()
  expect(await page.getByRole('dialog').count()).toBe(0)
})

test('a task where there is no model says what to do instead', async () => {
  await open()
  await page.getByRole('button', { name: 'Start session' }).click()
  await page.getByLabel('URL, or a task in words').fill('find the cheapest one')
  await page.getByRole('dialog').getByRole('button', { name: 'Start' }).click()
  await expect
    .poll(() => page.getByRole('dialog').getByRole('alert').allInnerTexts())
    .toEqual([expect.stringContaining('Enter a URL instead of a task.')])
})

test('one is terminated once that was confirmed', async () => {
  await open()
  const { id } = await start({ name: 'to end' })
  await row('Live', 'to end').getByRole('button').click()
  const question = page.getByRole('alertdialog', { name: 'Terminate to end?' })
  await question.getByRole('button', { name: 'Cancel' }).click()
  await question.waitFor({ state: 'detached' })
  expect(await get(id)).toMatchObject({ status: 'RUNNING' })
  await page.keyboard.press('Enter')
  await question.getByRole('button', { name: 'Terminate' }).click()
  await row('Ended', 'to end').waitFor()
  expect(await get(id)).toMatchObject({ status: 'CLOSED' })
})

test('the list is narrowed by status and by name, also to what ended long ago', async () => {
  const old = await start({ name: 'needle' })
  await terminate(old.id)
  for (let made = 0; made < 32; made += 1) await terminate((await start({ name: `hay ${made}` }, 'CREATING')).id)
  await start({ name: 'alive' })
  await open()
  const ended = page.getByRole('table', { name: 'Ended' }).getByRole('row')
  await expect.poll(() => ended.count()).toBe(31)
  expect(await row('Ended', 'needle').count()).toBe(0)
  await page.getByRole('button', { name: 'Show more' }).click()
  await row('Ended', 'hay 0').waitFor()
  await row('Ended', 'needle').waitFor()

  await page.reload()
  await expect.poll(() => ended.count()).toBe(31)
  await page.getByLabel('Filter by name').fill('needle')
  await row('Ended', 'needle').waitFor()
  expect(await ended.count()).toBe(2)
  await page.getByLabel('Filter by name').fill('nothing has this name')
  await page.getByRole('button', { name: 'Clear filter' }).click()
  await page.getByRole('button', { name: 'Live', exact: true }).click()
  await row('Live', 'alive').waitFor()
  expect(await page.getByRole('table', { name: 'Ended' }).count()).toBe(0)
  await page.getByRole('button', { name: 'Ended', exact: true }).click()
  expect(await page.getByRole('table', { name: 'Live' }).count()).toBe(0)
})

test('the list does not grow while it is open, and has no hole', async () => {
  const oldest = await start({ name: 'oldest' })
  await open()
  const names = Array.from({ length: 72 }, (_, index) => `straw ${index}`)
  for (let made = 0; made < names.length; made += 6) {
    const started = names.slice(made, made + 6).map(async (name) => (await start({ name }, 'CREATING')).id)
    for (const id of await Promise.all(started)) await terminate(id)
  }
  await terminate(oldest.id)
  await row('Ended', 'oldest').waitFor()
  const ended = async () =>
    (await page.getByRole('table', { name: 'Ended' }).getByRole('row').getByRole('link').allInnerTexts()).toSorted()
  const counted = (await ended()).length
  expect(counted).toBeGreaterThan(30)
  expect(counted).toBeLessThanOrEqual(60)
  await page.getByRole('button', { name: 'Show more' }).click()
  await expect.poll(async () => (await ended()).length).toBeGreaterThan(counted)
  await page.getByRole('button', { name: 'Show more' }).click()
  await expect.poll(ended).toEqual(expect.arrayContaining([...names, 'oldest']))
})

test('the colours are those of the system, or the ones that were chosen, for good', async () => {
  await open({ colorScheme: 'dark' })
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  expect(await ground()).toBe('rgb(15, 19, 22)')
  await page.getByLabel('Theme').selectOption('Light')
  expect(await ground()).toBe('rgb(246, 247, 249)')
  await page.reload()
  expect(await ground()).toBe('rgb(246, 247, 249)')
})

test('GraphiQL and the documentation of the schema are a click away, signed in', async () => {
  await open()
  const [graphiql] = await Promise.all([page.waitForEvent('popup'), page.getByRole('link', { name: 'Schema' }).click()])
  await graphiql.locator('.graphiql-doc-explorer').waitFor()
  await graphiql.locator('.graphiql-query-editor', { hasText: 'StartSession' }).waitFor()
  expect(await graphiql.locator('#notice').isVisible()).toBe(false)
})
