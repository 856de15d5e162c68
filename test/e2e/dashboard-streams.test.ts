import { expect, test } from 'vitest'
import { sessionQuery } from '../support/dashboard-page.ts'
import { startSocketSite } from '../support/site-sockets.ts'
import { withDashboard } from '../support/with-dashboard.ts'

const PAGES = {
  events: `new EventSource('/events')
    const other = new EventSource('/events/other')
    other.onmessage = () => other.close()`,
}

const { tabwire, site, start, terminate, openPage } = withDashboard(() => startSocketSite(PAGES))

const EVENTS = `query ($id: ID!) { session(id: $id) { events(kinds: [EVENT_SOURCE_MESSAGES]) {
  nodes { ... on EventSourceMessages { url streamMessages { sizeBytes } } } } } }`

/** Number of server-sent events in the log, by the end of their URL. */
async function recorded(id: string, path: string): Promise<number> {
  const { session } = await tabwire().query<{
    session: { events: { nodes: { url: string; streamMessages: unknown[] }[] } }
  }>(EVENTS, { id })
  return session.events.nodes.reduce(
    (sum, { url, streamMessages }) => sum + (url.endsWith(path) ? streamMessages.length : 0),
    0,
  )
}

test('server-sent events are shown with the request that received them, and with no other', async () => {
  const { id } = await start({ initialPrompt: `${site().url}/page/events` }, 'LOADED')
  await expect.poll(() => recorded(id, '/events')).toBe(3)
  await expect.poll(() => recorded(id, '/events/other')).toBeGreaterThan(0)
  await terminate(id)
  const { page } = await openPage({ query: sessionQuery(id, 'network') })
  const row = page.getByRole('grid', { name: 'Network' }).getByRole('row').filter({ hasText: 'cut by end' })
  await row.click({ position: { x: 30, y: 10 } })
  const list = page
    .getByRole('region', { name: 'Request', exact: true })
    .getByRole('list', { name: 'Server-sent events' })
  await expect.poll(() => list.locator('.message-row').count()).toBe(3)
  const texts = await list.locator('.message-row .text').allInnerTexts()
  expect(texts.slice(0, 2)).toEqual(['one', 'two\nlines'])
  expect(texts[2]).toMatch(/^y{4096}…$/)
  await list.getByText('named').waitFor()
})
