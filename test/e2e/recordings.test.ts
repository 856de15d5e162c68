import { randomBytes } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { artifactApi } from '../support/artifact-api.ts'
import { browsersOf } from '../support/browser-processes.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startActionPages, type ActionSitePages } from '../support/site-actions.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { freezeProcesses } from '../support/freeze-process.ts'

leakGate()

const QUOTA = 50_000_000

let site: ActionSitePages
let tabwire: TestApp
/** Output of the server's log, from warnings on. */
const serverLog: { kind?: string; msg: string }[] = []
const api = sessionApi(() => tabwire)
const artifacts = artifactApi(() => tabwire)

beforeAll(async () => {
  site = await startActionPages()
  const logger = pino({ level: 'warn' }, { write: (line) => serverLog.push(JSON.parse(line) as { msg: string }) })
  // Without a warm pool, so that a test can identify its session's browser.
  // Recordings are finished, however slow the machine is.
  tabwire = await startTestApp({ artifactQuotaBytes: QUOTA, warmBrowsers: 0 }, logger, { deadlines: { files: 60_000 } })
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
})

interface Entry {
  __typename: string
  kind?: string
  artifact?: { url: string; kind: string } | null
  failure?: string | null
  keepFailure?: string | null
  to?: string
  endReason?: string | null
}

const logOf = (id: string) =>
  readEntireLog<Entry>(
    tabwire,
    id,
    `__typename ... on ArtifactCreated { kind } ... on Download { artifact { url kind } failure keepFailure }
    ... on StatusChange { to endReason } ... on ArtifactFailed { failedKind: kind code partial }`,
  )

interface Artifact {
  kind: string
  pageId: string | null
  contentType: string
  url: string
  sizeBytes: number
}

async function artifactsOf(id: string): Promise<Artifact[]> {
  const query = `query ($id: ID!) { session(id: $id) { artifacts { nodes { kind pageId contentType url sizeBytes } } } }`
  return (await tabwire.query<{ session: { artifacts: { nodes: Artifact[] } } }>(query, { id })).session.artifacts.nodes
}

const kindsOf = async (id: string) => (await artifactsOf(id)).map(({ kind }) => kind).toSorted()
const kindsInLog = async (id: string) =>
  (await logOf(id)).flatMap(({ __typename, kind }) => (__typename === 'ArtifactCreated' ? [kind] : [])).toSorted()

/** Log lines since the last call about files that were not saved. */
const notKept = () =>
  serverLog
    .splice(0)
    .flatMap(({ msg, kind }) => (msg === 'a file was not kept' ? [kind] : []))
    .toSorted()

const ALL = ['HAR', 'TRACE', 'VIDEO']
const startRecording = (input: object = {}) =>
  api.start(
    { initialPrompt: `${site.url}/form`, record: ALL, viewport: { width: 640, height: 360 }, ...input },
    'LOADED',
  )

/** Steps on the first page, all of which must succeed. */
async function act(id: string, ...actions: object[]): Promise<void> {
  const query = `mutation ($id: ID!, $actions: [ActionInput!]!) { runActions(sessionId: $id, actions: $actions) { success details } }`
  const { runActions } = await tabwire.query<{ runActions: { success: boolean }[] }>(query, { id, actions })
  expect(runActions.filter(({ success }) => !success)).toEqual([])
}

/** Whether the bytes match their kind, and show the opened page. */
async function expectReadable({ kind, contentType, url, sizeBytes }: Artifact): Promise<void> {
  const response = await fetch(url)
  expect(response.headers.get('content-type')).toContain(contentType)
  const bytes = Buffer.from(await response.arrayBuffer())
  expect(bytes.length).toBe(sizeBytes)
  if (kind === 'HAR') expect(JSON.parse(bytes.toString())).toMatchObject({ log: { version: '1.2' } })
  if (kind === 'HAR') expect(bytes.toString()).toContain(`${site.url}/form`)
  if (kind === 'TRACE') expect(bytes.subarray(0, 4).toString('hex')).toBe('504b0304')
  if (kind === 'VIDEO') expect(bytes.subarray(0, 4).toString('hex')).toBe('1a45dfa3')
}

/** Leaves the given part of the quota during the work. Recordings in progress would count, too. */
async function withSpaceFor(bytes: number, work: () => Promise<void>): Promise<void> {
  const { id } = await api.start({ record: [] })
  const { url, artifactId } = await artifacts.ticket(id, 'filler')
  const body = Buffer.alloc(QUOTA - (await artifacts.usedBytes()) - bytes)
  expect((await fetch(url, { method: 'PUT', body })).status).toBe(201)
  await api.terminate(id)
  try {
    await work()
  } finally {
    await artifacts.remove(artifactId)
  }
}

describe('recordings', () => {
  test('stand in the log before the end of the session, and can be fetched after it', async () => {
    const { id } = await startRecording()
    await api.terminate(id)
    expect(await kindsInLog(id)).toEqual(ALL)
    expect((await logOf(id)).at(-1)).toMatchObject({ __typename: 'StatusChange', to: 'CLOSED' })
    const found = await artifactsOf(id)
    expect(found).toHaveLength(3)
    for (const artifact of found) await expectReadable(artifact)
  })

  test('are kept as far as they went when the browser is killed', async () => {
    const { id } = await startRecording()
    const [browser, ...others] = await browsersOf(process.pid)
    expect(others).toEqual([])
    process.kill(browser!.pid, 'SIGKILL')
    await expect.poll(() => api.get(id)).toMatchObject({ status: 'FAILED', endReason: 'BROWSER_CRASHED' })
    expect(await kindsInLog(id)).toEqual(ALL)
    for (const artifact of await artifactsOf(id)) await expectReadable(artifact)
  })

  test.each([
    ['IDLE_TIMEOUT', { idleTimeoutSeconds: 1 }],
    ['MAX_DURATION', { maxDurationSeconds: 2 }],
  ])('are kept at %s', async (endReason, limit) => {
    const { id } = await startRecording()
    await api.limit(id, limit)
    await expect.poll(() => api.get(id)).toMatchObject({ status: 'TIMED_OUT', endReason })
    expect(await kindsInLog(id)).toEqual(ALL)
  })

  test('are of popups too, also of one that went before', async () => {
    const { id } = await startRecording({ record: ['VIDEO'] })
    const open = (path: string) => ({ evaluate: { expression: `() => { open('${path}') }` } })
    await act(id, open('/moves'), open('/outer'))
    await expect.poll(async () => (await api.get(id))?.pages).toHaveLength(3)
    await tabwire.query(
      'mutation ($id: ID!) { runActions(sessionId: $id, pageId: "p2", actions: [{ closePage: {} }]) { success } }',
      { id },
    )
    await expect.poll(async () => (await api.get(id))?.pages).toHaveLength(2)
    await api.terminate(id)
    const videos = await artifactsOf(id)
    expect(videos.map(({ pageId }) => pageId).toSorted()).toEqual(['p1', 'p2', 'p3'])
    for (const video of videos) await expectReadable(video)
  })

  test('for which there is no room are missing, and nothing else', async () => {
    await withSpaceFor(10_000, async () => {
      const { id } = await startRecording({ record: ['TRACE', 'HAR'] })
      // A trace has the page as it was at each action, and the text of this one cannot be compressed into that space.
      const text = randomBytes(30_000).toString('base64')
      await act(
        id,
        { evaluate: { expression: `document.body.append('${text}')` } },
        { hover: { target: { css: 'body' } } },
      )
      expect(await api.terminate(id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
      expect(await kindsOf(id)).toEqual(['HAR'])
    })
    expect(notKept()).toEqual(['TRACE'])
  })

  test('as a HAR for which there is no room is missing, and the log says so', async () => {
    await withSpaceFor(100, async () => {
      const { id } = await startRecording({ record: ['HAR'] })
      expect(await api.terminate(id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
      const failed = (await logOf(id)).filter(({ __typename }) => __typename === 'ArtifactFailed')
      expect(failed).toMatchObject([{ failedKind: 'HAR', code: 'QUOTA_EXCEEDED', partial: false }])
    })
    expect(notKept()).toEqual(['HAR'])
  })

  test('are missing where the place for artifacts cannot be used, and the session ends as it would', async () => {
    const { id } = await startRecording()
    const [place, aside] = [join(tabwire.dataDir, 'artifacts'), join(tabwire.dataDir, 'aside')]
    await rename(place, aside)
    await writeFile(place, 'no folder')
    try {
      expect(await api.terminate(id)).toMatchObject({ status: 'CLOSED', endReason: 'TERMINATED' })
    } finally {
      await rm(place)
      await rename(aside, place)
    }
    expect(await kindsOf(id)).toEqual([])
    expect(notKept()).toEqual(ALL)
    expect((await logOf(id)).at(-1)).toMatchObject({ __typename: 'StatusChange', to: 'CLOSED' })
  })

  test('are kept when the server ends, also with a browser that hangs', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
    onTestFinished(() => rm(dataDir, { recursive: true }))
    const before = tabwire
    onTestFinished(() => {
      tabwire = before
    })
    tabwire = await startTestApp({ dataDir, warmBrowsers: 0 })
    const hanging = await startRecording()
    const [browser] = await browsersOf(process.pid)
    const healthy = await startRecording()
    await freezeProcesses(browser!.pid)
    await tabwire.close()
    tabwire = await startTestApp({ dataDir, warmBrowsers: 0 })
    onTestFinished(() => tabwire.close())
    for (const { id } of [hanging, healthy]) {
      expect(await api.get(id)).toMatchObject({ status: 'CLOSED', endReason: 'SERVER_SHUTDOWN' })
      expect(await kindsInLog(id)).toEqual(ALL)
      for (const artifact of await artifactsOf(id)) await expectReadable(artifact)
    }
  })

  test('that make no sense are refused before anything starts', async () => {
    const query = `mutation ($input: StartSessionInput) { startSession(input: $input) { id } }`
    const twice = await tabwire.send(query, { input: { record: ['HAR', 'HAR'] } })
    expect(twice.errors?.[0]?.extensions.issues).toMatchObject([{ path: ['input', 'record'], code: 'CONFLICT' }])
  })
})

describe('a download', () => {
  const downloadsOf = async (id: string) => (await logOf(id)).filter(({ __typename }) => __typename === 'Download')
  /** Not by a step, which would wait for a page. */
  const download = (id: string, path: string) =>
    act(id, { evaluate: { expression: `() => { location.href = '${path}' }` } })

  test('is an artifact; another of the same name is another', async () => {
    const { id } = await startRecording({ record: [] })
    await download(id, '/attachment')
    await expect.poll(() => downloadsOf(id)).toMatchObject([{ artifact: { kind: 'DOWNLOAD' }, keepFailure: null }])
    await download(id, '/attachment?bytes=5')
    await expect.poll(() => downloadsOf(id)).toHaveLength(2)
    const responses = await Promise.all((await downloadsOf(id)).map(({ artifact }) => fetch(artifact!.url)))
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(['zip', 'zip  '])
    for (const { headers } of responses) expect(headers.get('content-disposition')).toContain('filename=a.zip')
    await api.terminate(id)
  })

  test('that is under way at the end has failed, and nothing of it is kept', async () => {
    const { id } = await startRecording({ record: [] })
    await download(id, '/endless')
    const machineId = (await readFile(join(tabwire.dataDir, 'machine-id'), 'utf8')).trim()
    await expect.poll(() => globSync(join(tmpdir(), `tabwire-${machineId}/*/downloads/*`))).not.toEqual([])
    await api.terminate(id)
    expect(await downloadsOf(id)).toMatchObject([{ artifact: null, failure: 'session ended', keepFailure: null }])
    expect(await artifactsOf(id)).toEqual([])
  })

  test('for which there is no room is not kept, and it is said', async () => {
    const { id } = await startRecording({ record: [] })
    await withSpaceFor(10_000, async () => {
      await download(id, '/attachment?bytes=10001')
      const keepFailure = expect.stringContaining('does not fit into the quota of its owner') as string
      await expect.poll(() => downloadsOf(id)).toMatchObject([{ artifact: null, failure: null, keepFailure }])
      await download(id, '/attachment')
      await expect.poll(async () => (await downloadsOf(id))[1]).toMatchObject({ artifact: { kind: 'DOWNLOAD' } })
    })
    expect(notKept()).toEqual(['DOWNLOAD'])
    await api.terminate(id)
  })
})
