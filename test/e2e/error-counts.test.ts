import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { WAIT_LIMITS } from '../support/time-limits.ts'
import { startTestApp } from '../support/start-app.ts'
import { startTestSite } from '../support/test-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const { tabwire, site, start, terminate } = withApp(startTestSite, { warmBrowsers: 0 })

interface Counts {
  consoleErrorCount: number
  failedRequestCount: number
}

const COUNTS = `query ($id: ID!) { session(id: $id) { consoleErrorCount failedRequestCount
  errors: consoleMessages(first: 1, filter: { levels: [ERROR] }) { totalCount }
  failed: networkRequests(first: 1, filter: { failedOnly: true }) { totalCount } } }`

test('console errors and failed requests are counted live, after the end and after a restart', async () => {
  const dataDir = `${tabwire().dataDir}-restart`
  const before = await startTestApp({ dataDir, warmBrowsers: 0 })
  const started = await before.query<{ startSession: { id: string } & Counts }>(
    `mutation ($url: String!) { startSession(input: { initialPrompt: $url }, waitUntil: LOADED) {
      id consoleErrorCount failedRequestCount } }`,
    { url: `${site().url}/title` },
  )
  const { id, ...none } = started.startSession
  expect(none).toEqual({ consoleErrorCount: 0, failedRequestCount: 0 })
  const seen: Counts[] = []
  const query = 'subscription ($id: ID) { sessionChanged(id: $id) { consoleErrorCount failedRequestCount } }'
  const watched = (async () => {
    const changes = before.client().iterate<{ sessionChanged: Counts }>({ query, variables: { id } })
    for await (const { data } of changes) seen.push(data!.sessionChanged)
  })()
  // The browser itself complains of the status 500. A request that the end of the session cuts is no failure.
  const expression = `(async () => {
    console.log('fine'); console.warn('fine'); console.error('logged')
    setTimeout(() => { throw new Error('thrown') })
    void Promise.reject(new Error('rejected'))
    fetch('/slow?ms=600000').catch(() => {})
    await fetch('/text')
    await (await fetch('/broken')).text()
    await fetch('/slow?ms=600000&aborted', { signal: AbortSignal.timeout(1) }).catch(() => {})
  })()`
  await before.query(
    `mutation ($id: ID!, $expression: String!) {
      runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`,
    { id, expression },
  )
  const counts = { consoleErrorCount: 4, failedRequestCount: 2 }
  await expect.poll(() => seen.at(-1), WAIT_LIMITS).toEqual(counts)
  const whole = { session: { ...counts, errors: { totalCount: 4 }, failed: { totalCount: 2 } } }
  expect(await before.query(COUNTS, { id })).toEqual(whole)

  await before.query('mutation ($id: ID!) { terminateSession(id: $id) { id } }', { id })
  await watched
  expect(seen.at(-1)).toEqual(counts)
  expect(await before.query(COUNTS, { id })).toEqual(whole)
  await before.close()
  const after = await startTestApp({ dataDir, warmBrowsers: 0 })
  try {
    expect(await after.query(COUNTS, { id })).toEqual(whole)
  } finally {
    await after.close()
    await rm(dataDir, { recursive: true })
  }
})

test('lines with the same level, text and place have the same hash, and no others', async () => {
  const { id } = await start()
  const expression = `(() => {
    const say = (level, text) => console[level](text)
    say('log', 'a'); say('log', 'a'); say('log', 'b'); say('warn', 'a')
    console.log('a')
  })()`
  await tabwire().query(
    `mutation ($id: ID!, $expression: String!) {
      runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success } }`,
    { id, expression },
  )
  const lines = () => readEntireLog<{ hash: string }>(tabwire(), id, 'hash', { connection: 'consoleMessages' })
  await expect.poll(lines).toHaveLength(5)
  const [one, same, ...others] = (await lines()).map(({ hash }) => hash)
  expect(same).toBe(one)
  expect(new Set([one, ...others]).size).toBe(4)
  await terminate(id)
  expect((await lines()).map(({ hash }) => hash)).toEqual([one, same, ...others])
})
