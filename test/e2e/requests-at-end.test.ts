import { expect, test } from 'vitest'
import { startTestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate } = withApp(
  startTestSite,
  {},
  // Events of pages are recorded, and files finished, however slow both are.
  { deadlines: { flush: 20_000, files: 60_000 } },
)

const ASK = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [
  { evaluate: { expression: "void setInterval(() => fetch('/slow?ms=60').catch(() => {}), 5)" } }
]) { success } }`
const COUNT = `query ($id: ID!) { session(id: $id) { networkRequestCount } }`
const PENDING = `query ($id: ID!) { session(id: $id) { pendingRequestCount } }`

test('each request of a page that never stops asking has one end, though answers come while the session ends', async () => {
  // Finishing recordings takes a while, during which the page continues.
  const session = await start({ initialPrompt: `${site().url}/title`, record: ['TRACE', 'HAR'] }, 'LOADED')
  await tabwire().query(ASK, { id: session.id })
  const answered = async () => {
    const counted = await tabwire().query<{ session: { networkRequestCount: number } }>(COUNT, { id: session.id })
    return counted.session.networkRequestCount
  }
  await expect.poll(answered).toBeGreaterThan(20)
  await terminate(session.id)
  const nodes = await readEntireLog<{ __typename: string; id?: string; failure?: string }>(
    tabwire(),
    session.id,
    '__typename ... on NetworkRequest { id failure }',
  )
  expect(nodes.map(({ __typename }) => __typename)).not.toContain('EntriesDropped')
  expect(nodes.at(-1)?.__typename).toBe('StatusChange')
  const requests = nodes.filter(({ __typename }) => __typename === 'NetworkRequest')
  expect(new Set(requests.map(({ id }) => id)).size).toBe(requests.length)
  expect(requests.filter(({ failure }) => failure === 'session ended').length).toBeGreaterThan(0)
  expect(await tabwire().query(PENDING, { id: session.id })).toEqual({ session: { pendingRequestCount: 0 } })
})
