import type { Page } from 'playwright'
import { expect, test } from 'vitest'
import { startLiveSite } from '../support/site-live.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const { tabwire, site, start, terminate, browser } = withDashboard(startLiveSite)

async function linkTo(id: string, apiKey = tabwire().apiKey): Promise<string> {
  const query = `query ($id: ID!) { session(id: $id) { access { liveViewUrl } } }`
  const { session } = await tabwire().query<{ session: { access: { liveViewUrl: string } } }>(query, { id }, apiKey)
  return session.access.liveViewUrl
}

const run = async (id: string, action: string): Promise<string> =>
  JSON.stringify(
    await tabwire().query(
      `mutation ($id: ID!) { runActions(sessionId: $id, actions: [${action}]) { success result } }`,
      {
        id,
      },
    ),
  )

const drawn = (page: Page) => page.locator('canvas[data-drawn=true]').waitFor()

test('someone without a key watches, takes over, and learns when it is over', async () => {
  const session = await start({ initialPrompt: `${site().url}/input` }, 'LOADED')
  const page = await browser().newPage()
  await page.goto(await linkTo(session.id))
  await drawn(page)
  expect(await page.getByRole('link').count()).toBe(0)
  expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(0)
  await run(session.id, '{ click: { target: { css: "#field" } } }')
  await page.getByRole('button', { name: 'Take control' }).click()
  await page.keyboard.type('typed without a key')
  const shown = () => run(session.id, '{ extract: { target: { css: "#field" }, as: VALUE } }')
  await expect.poll(shown).toContain('typed without a key')
  await terminate(session.id)
  await page.getByText(/This is the last frame/).waitFor()
  await page.reload()
  await page.getByText(/This link has expired, or the session has ended/).waitFor()
  await page.close()
})

test('a link that is opened where the dashboard is open already shows the picture', async () => {
  const session = await start({ initialPrompt: `${site().url}/input` }, 'LOADED')
  const page = await browser().newPage()
  await page.goto(tabwire().url)
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  await page.evaluate((link) => location.assign(link), await linkTo(session.id))
  await drawn(page)
  expect(await page.getByRole('button', { name: 'Sign in' }).count()).toBe(0)
  await page.close()
  await terminate(session.id)
})

test('a link that signs in does so where the dashboard is open already, and leaves no code in the address', async () => {
  const page = await browser().newPage()
  await page.goto(tabwire().url)
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  await page.evaluate((link) => location.assign(link), tabwire().app.signInUrl('dashboard'))
  await page.getByRole('button', { name: 'Start session' }).waitFor()
  expect(page.url()).not.toContain('code')
  await page.close()
})

test('a link of a key that may only look has nothing to take over with', async () => {
  const create = `mutation { createApiKey(input: { name: "watcher", scopes: [READ, CONNECT] }) { secret } }`
  const { createApiKey } = await tabwire().query<{ createApiKey: { secret: string } }>(create)
  const session = await start({ initialPrompt: `${site().url}/input` }, 'LOADED')
  const page = await browser().newPage()
  await page.goto(await linkTo(session.id, createApiKey.secret))
  await drawn(page)
  await page.getByText('View-only link').waitFor()
  expect(await page.getByRole('button').count()).toBe(0)
  await page.close()
  await terminate(session.id)
})
