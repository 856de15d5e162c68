import { readdirSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { isFinishedWebm } from '../../src/adapters/playwright/captures/webm.ts'
import { artifactApi } from '../support/artifact-api.ts'
import { CdpSocket } from '../support/cdp-socket.ts'
import type { SessionData } from '../support/session-api.ts'
import { startDownloadSite } from '../support/site-downloads.ts'
import { withApp } from '../support/with-app.ts'

const MIB = 1024 * 1024
const QUOTA = 4 * MIB
/** For all browsers; one session may use half. */
const TEMP_LIMIT = 64 * MIB

interface Entry {
  __typename: string
  failure?: string | null
  keepFailure?: string | null
  sizeBytes?: number | null
  kind?: string
  code?: string
  partial?: boolean
}

const app = withApp(startDownloadSite, { artifactQuotaBytes: QUOTA, tempLimitBytes: TEMP_LIMIT, warmBrowsers: 0 })
const { tabwire, site } = app
const artifacts = artifactApi(tabwire)

async function logOf(id: string): Promise<Entry[]> {
  const query = `query ($id: ID!) { session(id: $id) { events(first: 1000) { nodes { __typename
    ... on Download { failure keepFailure sizeBytes }
    ... on ArtifactFailed { kind code partial } } } } }`
  return (await tabwire().query<{ session: { events: { nodes: Entry[] } } }>(query, { id })).session.events.nodes
}

const ofType = async (id: string, type: string) => (await logOf(id)).filter(({ __typename }) => __typename === type)
const downloadsOf = (id: string) => ofType(id, 'Download')

const opened: string[] = []

async function open(input: object = {}): Promise<SessionData> {
  const session = await app.start({ initialPrompt: site().url, ...input }, 'LOADED')
  opened.push(session.id)
  return session
}

// However a test ended, the next one has the whole quota and the whole folder.
afterEach(async () => {
  for (const id of opened.splice(0)) {
    await app.terminate(id)
    await removeArtifacts(id)
  }
  await foldersOfSessions(0)
})

async function evaluate(id: string, expression: string): Promise<void> {
  const query = `mutation ($id: ID!, $expression: String!) {
    runActions(sessionId: $id, actions: [{ evaluate: { expression: $expression } }]) { success error { message } } }`
  const { runActions } = await tabwire().query<{ runActions: { success: boolean }[] }>(query, { id, expression })
  expect(runActions).toMatchObject([{ success: true }])
}

const go = (id: string, path: string) => evaluate(id, `() => { location.href = '${path}' }`)

/** Folders of this app's browsers. */
async function foldersOf(): Promise<string[]> {
  const machineId = (await readFile(join(tabwire().dataDir, 'machine-id'), 'utf8')).trim()
  const parent = join(tmpdir(), `tabwire-${machineId}`)
  return readdirSync(parent).map((name) => join(parent, name))
}

/** Those of ended sessions are removed a little later: files written there in the meantime would remain. */
async function foldersOfSessions(count: number): Promise<string[]> {
  await expect.poll(foldersOf, { timeout: 30_000 }).toHaveLength(count)
  return foldersOf()
}

async function removeArtifacts(id: string): Promise<void> {
  const query = 'query ($id: ID!) { session(id: $id) { artifacts { nodes { id } } } }'
  const { session } = await tabwire().query<{ session: { artifacts: { nodes: { id: string }[] } } }>(query, { id })
  for (const artifact of session.artifacts.nodes) await artifacts.remove(artifact.id)
}

const EXCEEDED: object = {
  sizeBytes: null,
  failure: 'quota exceeded',
  keepFailure: expect.stringMatching(/ bytes were left for this download\. Delete some\.$/) as string,
}

describe('a download that takes more than the quota leaves is canceled', { timeout: 60_000 }, () => {
  test.each([
    ['of a page', (id: string) => go(id, '/endless')],
    ['of a popup', (id: string) => evaluate(id, `() => { open('/endless') }`)],
    [
      'of a frame',
      (id: string) =>
        evaluate(
          id,
          `() => { document.body.append(Object.assign(document.createElement('iframe'), { src: '/endless' })) }`,
        ),
    ],
  ])('without a length, %s', async (_, download) => {
    const { id } = await open()
    await download(id)
    await expect.poll(() => downloadsOf(id), { timeout: 30_000 }).toMatchObject([EXCEEDED])
    await expect.poll(() => site().endless.open).toBe(0)
    const left = async () => (await foldersOf()).flatMap((folder) => readdirSync(join(folder, 'downloads')))
    await expect.poll(left).toEqual([])
    expect(await app.terminate(id)).toMatchObject({ status: 'CLOSED' })
    expect(await artifacts.usedBytes()).toBe(0)
  })

  test('of a context that a client made', async () => {
    const { id } = await open()
    await using client = await CdpSocket.connect(await app.cdpUrlOf(id))
    const { browserContextId } = await client.send('Target.createBrowserContext')
    const behavior = { behavior: 'allow', downloadPath: '/tmp', eventsEnabled: false, browserContextId }
    await client.send('Browser.setDownloadBehavior', behavior)
    await client.send('Target.createTarget', { url: `${site().url}/endless`, browserContextId })
    await expect.poll(() => downloadsOf(id), { timeout: 30_000 }).toMatchObject([EXCEEDED])
    await expect.poll(() => site().endless.open).toBe(0)
  })

  test('as soon as its length is known', async () => {
    const { id } = await open()
    await go(id, `/held?silent&bytes=${QUOTA + 2 * MIB}`)
    await expect.poll(() => downloadsOf(id), { timeout: 30_000 }).toMatchObject([EXCEEDED])
  })

  test('together with others of its owner, in whichever session', async () => {
    const sessions = [await open(), await open()]
    const bytes = 2 * MIB
    for (const { id } of sessions) await go(id, `/held?bytes=${bytes}&1`)
    // Until the browser knows that it downloads, another navigation takes the place of this one.
    const begun = async () => (await foldersOf()).flatMap((folder) => readdirSync(join(folder, 'downloads')))
    await expect.poll(begun).toHaveLength(2)
    for (const { id } of sessions) await go(id, `/held?bytes=${bytes}&2`)
    const ended = async () => (await Promise.all(sessions.map(({ id }) => downloadsOf(id)))).flat()
    // Two have room.
    await expect.poll(ended, { timeout: 30_000 }).toMatchObject([EXCEEDED, EXCEEDED])
    site().release()
    await expect.poll(ended, { timeout: 30_000 }).toHaveLength(4)
    expect((await ended()).filter(({ keepFailure }) => keepFailure === null)).toHaveLength(2)
    expect(await artifacts.usedBytes()).toBe(2 * bytes)
  })
})

test('a trace that takes more than the quota leaves is stopped, and the log says so', { timeout: 60_000 }, async () => {
  const { id } = await open({ record: ['TRACE'] })
  await evaluate(
    id,
    `async () => { for (let i = 0; i < 4; i++) await (await fetch('/body?bytes=${MIB}&' + i)).text() }`,
  )
  const stopped = async () =>
    (await ofType(id, 'ArtifactFailed')).map(({ kind, code, partial }) => [kind, code, partial])
  await expect
    .poll(async () => (await stopped()).toSorted(), { timeout: 30_000 })
    .toEqual([['TRACE', 'QUOTA_EXCEEDED', true]])
  expect(await app.terminate(id)).toMatchObject({ status: 'CLOSED' })
  expect(await artifacts.usedBytes()).toBeLessThanOrEqual(QUOTA)
})

test(
  'a video that takes more than the quota leaves is stopped: it is kept up to there, and said to be partial',
  { timeout: 120_000 },
  async () => {
    const { id } = await open({ record: ['VIDEO'], viewport: { width: 1280, height: 720 } })
    // Noise is the most expensive content of a video: several frames a second.
    await evaluate(
      id,
      `() => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 90 })
        canvas.style = 'position: fixed; inset: 0; width: 1280px; height: 720px; image-rendering: pixelated'
        document.body.append(canvas)
        const context = canvas.getContext('2d')
        const picture = context.createImageData(160, 90)
        const draw = () => {
          crypto.getRandomValues(picture.data)
          for (let at = 3; at < picture.data.length; at += 4) picture.data[at] = 255
          context.putImageData(picture, 0, 0)
        }
        setInterval(draw, 250)
      }`,
    )
    const failed = { kind: 'VIDEO', code: 'QUOTA_EXCEEDED', partial: true }
    await expect.poll(() => ofType(id, 'ArtifactFailed'), { timeout: 100_000 }).toMatchObject([failed])
    expect(await app.get(id)).toMatchObject({ status: 'RUNNING' })
    expect(await app.terminate(id)).toMatchObject({ status: 'CLOSED' })
    expect(await ofType(id, 'ArtifactFailed')).toMatchObject([failed])
    const query = 'query ($id: ID!) { session(id: $id) { artifacts { nodes { id kind sizeBytes url } } } }'
    const { session } = await tabwire().query<{
      session: { artifacts: { nodes: { id: string; kind: string; sizeBytes: number; url: string }[] } }
    }>(query, { id })
    const [video, ...others] = session.artifacts.nodes
    expect([video!.kind, others]).toEqual(['VIDEO', []])
    expect(video!.sizeBytes).toBeLessThanOrEqual(QUOTA)
    expect(video!.sizeBytes).toBeGreaterThan(MIB)
    expect(await artifacts.usedBytes()).toBe(video!.sizeBytes)
    const file = join(tabwire().dataDir, 'partial.webm')
    await writeFile(file, Buffer.from(await (await fetch(video!.url)).arrayBuffer()))
    // Finished, not cut: it has a duration.
    expect(await isFinishedWebm(file)).toBe(true)
    await rm(file)
    // The rest of the quota is available again, to the byte.
    const fill = async (bytes: number) => {
      const { url } = await artifacts.ticket(id, 'filler')
      return (await fetch(url, { method: 'PUT', body: Buffer.alloc(bytes) })).status
    }
    expect(await fill(QUOTA - video!.sizeBytes + 1)).toBe(413)
    expect(await fill(QUOTA - video!.sizeBytes)).toBe(201)
    await removeArtifacts(id)
    expect(await artifacts.usedBytes()).toBe(0)
  },
)

describe('the temporary folder', { timeout: 90_000 }, () => {
  test('is not filled by one browser: its session ends, and others go on', async () => {
    const { id: other } = await open()
    const [otherFolder] = await foldersOfSessions(1)
    const { id } = await open()
    const folder = (await foldersOfSessions(2)).find((one) => one !== otherFolder)!
    await writeFile(join(folder, 'profile', 'filler'), Buffer.alloc(TEMP_LIMIT / 2 + MIB, 1))
    await expect
      .poll(() => app.get(id), { timeout: 30_000 })
      .toMatchObject({
        status: 'FAILED',
        endReason: 'BROWSER_MISBEHAVED',
        error: expect.stringContaining('the limit of a session is 32 MiB') as string,
      })
    expect(await app.get(other)).toMatchObject({ status: 'RUNNING' })
  })

  test('lets no session begin while it is full', async () => {
    const started = [await open(), await open()]
    // Each within its own limit, together nearly the whole limit.
    for (const folder of await foldersOfSessions(2)) {
      await writeFile(join(folder, 'profile', 'filler'), Buffer.alloc(TEMP_LIMIT / 2 - 2 * MIB, 1))
    }
    const query = 'mutation { startSession(waitUntil: CREATING) { id } }'
    const refused = async () => {
      const { data, errors } = await tabwire().send<{ startSession: { id: string } }>(query)
      if (data) await app.terminate(data.startSession.id)
      return errors?.map(({ extensions, message }) => [extensions.code, message])
    }
    const message = expect.stringContaining('TABWIRE_TEMP_LIMIT_MB') as string
    await expect.poll(refused, { timeout: 30_000 }).toEqual([['STORAGE_FULL', message]])
    expect((await fetch(`${tabwire().url}/ready`)).status).toBe(503)
    for (const { id } of started) expect(await app.terminate(id)).toMatchObject({ status: 'CLOSED' })
    await expect.poll(refused, { timeout: 30_000 }).toBeUndefined()
  })

  test('takes no files for uploads beyond what a session may have', async () => {
    const { id } = await open()
    const { url, artifactId } = await artifacts.ticket(id, 'two-mebibytes')
    expect((await fetch(url, { method: 'PUT', body: Buffer.alloc(2 * MIB) })).status).toBe(201)
    const folder = (await foldersOfSessions(1))[0]!
    const filler = join(folder, 'profile', 'filler')
    await writeFile(filler, Buffer.alloc(TEMP_LIMIT / 2 - MIB, 1))
    const query = `mutation ($id: ID!, $artifacts: [ID!]!) { runActions(sessionId: $id, actions: [
      { upload: { target: { css: "#file" }, artifactIds: $artifacts } }]) { success error { code } } }`
    const upload = async () =>
      (
        await tabwire().query<{ runActions: { error: { code: string } | null }[] }>(query, {
          id,
          artifacts: [artifactId],
        })
      ).runActions[0]!.error
    await expect.poll(upload, { timeout: 30_000 }).toMatchObject({ code: 'STORAGE_FULL' })
  })
})
