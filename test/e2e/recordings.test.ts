import { afterAll, beforeAll, expect, test } from 'vitest'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startActionPages, type ActionSitePages } from '../support/site-actions.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let site: ActionSitePages
let tabwire: TestApp
const api = sessionApi(() => tabwire)

beforeAll(async () => {
  site = await startActionPages()
  // Room for what a session downloads, not for what it records.
  tabwire = await startTestApp({ artifactQuotaBytes: 50_000_000 })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

interface Entry {
  __typename: string
  sequence: number
  kind?: string
  artifact?: { url: string; kind: string } | null
  keepFailure?: string | null
  to?: string
}

async function logOf(id: string): Promise<Entry[]> {
  const query = `query ($id: ID!) { session(id: $id) { events(first: 1000) { nodes { __typename sequence
    ... on ArtifactCreated { kind } ... on Download { artifact { url kind } keepFailure } ... on StatusChange { to } } } } }`
  return (await tabwire.query<{ session: { events: { nodes: Entry[] } } }>(query, { id })).session.events.nodes
}

test('recordings stand in the log before the end of the session, and can be fetched after it', async () => {
  const { id } = await api.start({ initialPrompt: `${site.url}/form`, record: ['VIDEO', 'TRACE', 'HAR'] }, 'LOADED')
  await api.terminate(id)
  const log = await logOf(id)
  const created = log.filter(({ __typename }) => __typename === 'ArtifactCreated')
  expect(created.map(({ kind }) => kind).toSorted()).toEqual(['HAR', 'TRACE', 'VIDEO'])
  expect(log.at(-1)).toMatchObject({ __typename: 'StatusChange', to: 'CLOSED' })
  const query = `query ($id: ID!) { session(id: $id) { artifacts { totalCount nodes { kind name contentType url sizeBytes } } } }`
  const { session } = await tabwire.query<{
    session: { artifacts: { nodes: { kind: string; contentType: string; url: string; sizeBytes: number }[] } }
  }>(query, { id })
  for (const { contentType, url, sizeBytes } of session.artifacts.nodes) {
    const response = await fetch(url)
    expect(response.headers.get('content-type')).toContain(contentType)
    expect((await response.arrayBuffer()).byteLength).toBe(sizeBytes)
  }
})

test('a session whose browser dies keeps what was recorded', async () => {
  const { id } = await api.start({ initialPrompt: `${site.url}/form`, record: ['TRACE', 'HAR'] }, 'LOADED')
  const crash = `mutation ($id: ID!) { runActions(sessionId: $id, actions: [{ navigate: { url: "about:blank" } }]) { success } }`
  await tabwire.query(crash, { id })
  await api.terminate(id)
  expect((await logOf(id)).filter(({ __typename }) => __typename === 'ArtifactCreated')).toHaveLength(2)
})

test('a download is an artifact', async () => {
  const { id } = await api.start({ initialPrompt: `${site.url}/form` }, 'LOADED')
  const download = `mutation ($id: ID!, $url: String!) { runActions(sessionId: $id, actions: [{ navigate: { url: $url } }]) { details } }`
  await tabwire.query(download, { id, url: `${site.url}/attachment` })
  const downloads = async () => (await logOf(id)).filter(({ __typename }) => __typename === 'Download')
  await expect.poll(downloads).toMatchObject([{ artifact: { kind: 'DOWNLOAD' }, keepFailure: null }])
  const [entry] = await downloads()
  const response = await fetch(entry!.artifact!.url)
  expect(await response.text()).toBe('zip')
  expect(response.headers.get('content-disposition')).toContain('a.zip')
  await api.terminate(id)
})

test('input that makes no sense, or cannot be recorded here, is refused before anything starts', async () => {
  const query = `mutation ($input: StartSessionInput) { startSession(input: $input) { id } }`
  const twice = await tabwire.send(query, { input: { record: ['HAR', 'HAR'] } })
  expect(twice.errors?.[0]?.extensions.issues).toMatchObject([{ path: ['input', 'record'], code: 'CONFLICT' }])
})
