import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { leakGate } from '../support/leak-gate.ts'
import { startActionPages, type ActionSitePages } from '../support/site-actions.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

const FOLDER = join(import.meta.dirname, '../../examples')
const files = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.graphql'))
  .toSorted()
const read = (start: string) =>
  readFileSync(
    join(
      FOLDER,
      files.find((name) => name.includes(start))!,
    ),
    'utf8',
  )

let site: TestSite
let pages: ActionSitePages
let tabwire: TestApp
let session: string

beforeAll(async () => {
  site = await startTestSite()
  pages = await startActionPages()
  // Recordings are finished, however slow the machine is.
  tabwire = await startTestApp({ warmBrowsers: 1 }, undefined, { deadlines: { files: 60_000 } })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
  await pages.close()
})

interface Batch {
  entries: { __typename?: string; sequence: number; text?: string; url?: string }[]
  cursor: string
}

/** Batches of an example until the condition holds; then unsubscribes, like a client that closes the page. */
async function watch<T>(example: string, variables: object, until: (seen: T[]) => boolean): Promise<T[]> {
  const seen: T[] = []
  for await (const { data, errors } of tabwire
    .client()
    .iterate<Record<string, T>>({ query: read(example), variables: { ...variables } })) {
    expect(errors).toBeUndefined()
    seen.push(Object.values(data!)[0]!)
    if (until(seen)) break
  }
  return seen
}

const entriesOf = (batches: Batch[]) => batches.flatMap(({ entries }) => entries)

// One story, in the order of the files.
test('start, watch, come back, look back, end', async () => {
  const { startSession } = await tabwire.query<{ startSession: { id: string; status: string } }>(
    read('start-session'),
    {
      url: `${site.url}/ticker?ms=50`,
    },
  )
  expect(startSession.status).toBe('RUNNING')
  session = startSession.id

  const lines = await watch<Batch>('watch-console', { session }, (seen) => entriesOf(seen).length >= 3)
  expect(entriesOf(lines).map(({ text }) => text)).toEqual(
    ['tick 1', 'tick 2', 'tick 3'].concat(
      entriesOf(lines)
        .slice(3)
        .map(({ text }) => text!),
    ),
  )
  const requests = await watch<Batch>('watch-network', { session }, (seen) => entriesOf(seen).length >= 1)
  expect(entriesOf(requests)[0]?.url).toBe(`${site.url}/ticker?ms=50`)
  const states = await watch<{ status: string; title: string }>(
    'watch-status',
    { session },
    (seen) => seen.at(-1)?.title === 'Ticker',
  )
  expect(states[0]).toMatchObject({ status: 'RUNNING' })

  const before = await watch<Batch>('resume', { session }, (seen) => entriesOf(seen).length >= 5)
  const { cursor } = before.at(-1)!
  const after = await watch<Batch>('resume', { session, cursor }, (seen) => entriesOf(seen).length >= 3)
  const sequences = [...entriesOf(before), ...entriesOf(after)].map(({ sequence }) => sequence)
  expect(sequences).toEqual(sequences.map((_, index) => index + 1))

  const look = () => tabwire.query(read('look-back'), { session })
  // A browser of a busy machine may take more than the second that it has.
  await expect
    .poll(look)
    .toMatchObject({ session: { health: { status: 'HEALTHY' }, pages: [{ id: 'p1', title: 'Ticker' }] } })
  const { sessions } = await tabwire.query<{ sessions: { totalCount: number; nodes: { id: string }[] } }>(
    read('list-sessions'),
  )
  expect([sessions.totalCount, sessions.nodes[0]?.id]).toEqual([1, session])

  const { runActions } = await tabwire.query<{ runActions: { success: boolean; artifact: { url: string } | null }[] }>(
    read('drive'),
    { session, url: `${pages.url}/form` },
  )
  expect(runActions.map(({ success }) => success)).toEqual([true, true, true, true])
  expect((await fetch(runActions.at(-1)!.artifact!.url)).headers.get('content-type')).toBe('image/jpeg')
  const { session: seen } = await tabwire.query<{ session: { pages: { observation: { snapshot: string } }[] } }>(
    read('observe'),
    { session },
  )
  expect(seen.pages[0]?.observation.snapshot).toContain('[ref=')
  const actionsOf = (batches: Batch[]) => entriesOf(batches).filter(({ __typename }) => __typename === 'Action')
  const timeline = await watch<Batch>('watch-timeline', { session }, (batches) => actionsOf(batches).length >= 4)
  expect(actionsOf(timeline)).toHaveLength(4)
  const { session: linked } = await tabwire.query<{ session: { access: { cdpUrl: string } } }>(read('connect'), {
    session,
  })
  expect(linked.access.cdpUrl).toMatch(/^ws:/)
  const frames = await watch<{ pageId: string; data: string }>('live-view', { session }, (shown) => shown.length >= 1)
  expect(frames[0]).toMatchObject({ pageId: 'p1', data: expect.stringMatching(/^\/9j\//), width: 640, skipped: 0 })
  // No model is configured here.
  const { errors } = await tabwire.send(read('13-task'), { session })
  expect(errors?.[0]?.extensions.code).toBe('AI_NOT_CONFIGURED')

  const { terminateSession } = await tabwire.query<{ terminateSession: object }>(read('terminate'), { session })
  expect(terminateSession).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
  const whole = await watch<Batch>('resume', { session }, () => false)
  expect(entriesOf(whole).at(-1)).toMatchObject({ __typename: 'StatusChange', to: 'CLOSED' })
})

test('record, and fetch what came of it', async () => {
  const { startSession } = await tabwire.query<{ startSession: { id: string; artifacts: { nodes: object[] } } }>(
    read('11-record'),
    { url: `${site.url}/ticker?ms=500` },
  )
  expect(startSession.artifacts.nodes).toMatchObject([{ kind: 'SCREENSHOT' }])
  await tabwire.query(read('terminate'), { session: startSession.id })
  const answer = await tabwire.query<{
    session: { artifacts: { nodes: { kind: string; link: { url: string; viewerUrl: string | null } }[] } }
  }>(read('12-artifacts'), { session: startSession.id })
  const { nodes } = answer.session.artifacts
  expect(nodes.map(({ kind }) => kind).toSorted()).toEqual(['HAR', 'SCREENSHOT', 'TRACE'])
  expect(nodes.filter(({ link }) => link.viewerUrl !== null).map(({ kind }) => kind)).toEqual(['TRACE'])
  for (const { link } of nodes) expect((await fetch(link.url)).status).toBe(200)
})

test('none was left out', () => {
  expect(files).toHaveLength(16)
})
