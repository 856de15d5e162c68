import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { artifactApi, ARTIFACT, type ArtifactData } from '../support/artifact-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { watchDisk } from '../support/watched-disk.ts'

leakGate()

const QUOTA = 3_000_000

let tabwire: TestApp
let sessionId: string
const api = artifactApi(() => tabwire)
const sessions = sessionApi(() => tabwire)

beforeAll(async () => {
  tabwire = await startTestApp({ artifactQuotaBytes: QUOTA })
  sessionId = (await sessions.start()).id
})
afterAll(() => tabwire?.close())

const put = (url: string, body: Buffer<ArrayBuffer> | string, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'PUT', body, headers })

const filesLeft = async () => {
  const root = join(tabwire.dataDir, 'artifacts')
  return (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length
}

/** Deletes all there are, so that each test has the whole quota. */
async function clear(): Promise<void> {
  const { session } = await tabwire.query<{ session: { artifacts: { nodes: { id: string }[] } } }>(
    'query ($id: ID!) { session(id: $id) { artifacts { nodes { id } } } }',
    { id: sessionId },
  )
  for (const { id } of session.artifacts.nodes) await api.remove(id)
  expect([await api.usedBytes(), await filesLeft()]).toEqual([0, 0])
}

describe('a ticket', () => {
  test('takes a file of any size once, and its artifact stands in the log', async () => {
    const bytes = randomBytes(2_500_000)
    const ticket = await api.ticket(sessionId, 'data.bin', 'application/x-data')
    expect(await api.find(ticket.artifactId)).toBeNull()
    const response = await put(ticket.url, bytes, { 'content-type': 'text/html' })
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const reported = {
      id: ticket.artifactId,
      name: 'data.bin',
      contentType: 'application/x-data',
      sizeBytes: 2_500_000,
      sha256,
    }
    expect([response.status, await response.json()]).toEqual([201, reported])
    expect(await api.find(ticket.artifactId)).toMatchObject({ ...reported, kind: 'UPLOAD', session: { id: sessionId } })

    const again = await put(ticket.url, 'other')
    expect([again.status, await again.json()]).toMatchObject([409, { error: { code: 'CONFLICT' } }])
    const { url } = (await api.find(ticket.artifactId))!
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(bytes)).toBe(true)

    const events = `query ($id: ID!) { session(id: $id) { events(kinds: [ARTIFACT_CREATED]) {
      nodes { ... on ArtifactCreated { name kind contentType sizeBytes pageId artifact { ${ARTIFACT} } } } } } }`
    type Events = { session: { events: { nodes: { name: string; artifact: ArtifactData | null }[] } } }
    const ofIt = async () =>
      (await tabwire.query<Events>(events, { id: sessionId })).session.events.nodes.find(
        ({ name }) => name === 'data.bin',
      )
    await expect.poll(ofIt).toMatchObject({ kind: 'UPLOAD', sizeBytes: 2_500_000, artifact: { id: ticket.artifactId } })
    await api.remove(ticket.artifactId)
    expect((await ofIt())!.artifact).toBeNull()
  })

  test('that is used twice at once takes one file', async () => {
    await clear()
    const { url } = await api.ticket(sessionId, 'race.txt')
    const answers = await Promise.all(['one', 'two', 'three'].map((text) => put(url, text.repeat(1000))))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409])
    expect(await filesLeft()).toBe(1)
  })

  test('is good again after an upload that was broken off', async () => {
    await clear()
    const ticket = await api.ticket(sessionId, 'x.bin')
    const { hostname, port, pathname, search } = new URL(ticket.url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write(`PUT ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`)
    socket.write(randomBytes(200_000))
    const drafts = async () => (await readdir(join(tabwire.dataDir, 'artifacts', '.unfinished'))).length
    await expect.poll(drafts).toBe(1)
    socket.destroy()
    await expect.poll(drafts).toBe(0)
    await expect.poll(async () => (await put(ticket.url, 'whole')).status).toBe(201)
  })

  test.each<[string, (url: URL) => void]>([
    ['another name', (url) => url.searchParams.set('name', 'y')],
    ['another type', (url) => url.searchParams.set('type', 'text/html')],
    ['no session', (url) => url.searchParams.delete('session')],
    ['a longer time', (url) => url.searchParams.set('expires', '9999999999')],
    ['another id', (url) => (url.pathname = url.pathname.slice(0, -1))],
  ])('with %s is refused', async (_, change) => {
    const { url } = await api.ticket(sessionId, 'x', 'text/plain')
    const changed = new URL(url)
    change(changed)
    const response = await put(changed.href, 'x')
    expect([response.status, await response.json()]).toMatchObject([403, { error: { code: 'LINK_INVALID' } }])
  })

  test('takes PUT alone, from any site', async () => {
    const { url } = await api.ticket(sessionId, 'x')
    expect((await fetch(url)).status).toBe(405)
    const asked = await fetch(url, { method: 'OPTIONS' })
    expect([asked.status, asked.headers.get('access-control-allow-methods')]).toEqual([204, 'PUT, OPTIONS'])
    expect(asked.headers.get('access-control-allow-origin')).toBe('*')
  })
})

describe('what is wrong with an upload is told all at once', () => {
  test('as BAD_USER_INPUT', async () => {
    const query = `mutation ($id: ID!, $name: String!) {
      uploadArtifact(sessionId: $id, name: $name, contentType: "nonsense", base64: "a b") { id } }`
    const { errors } = await tabwire.send(query, { id: sessionId, name: '' })
    expect(errors![0]!.extensions.issues?.map(({ path }) => path)).toEqual([['name'], ['contentType'], ['base64']])
  })

  test.each(['a', 'a===', '====', 'YQ=', 'a-_b', 'YWJj\n'])('base64 is not %j', async (base64) => {
    const query =
      'mutation ($id: ID!, $base64: String!) { uploadArtifact(sessionId: $id, name: "x", base64: $base64) { id } }'
    const { errors } = await tabwire.send(query, { id: sessionId, base64 })
    expect(errors![0]!.extensions.code).toBe('BAD_USER_INPUT')
  })
})

describe('the quota', () => {
  test('is told with what is used of it', async () => {
    await clear()
    await api.give(sessionId, randomBytes(1000), 'x')
    const answer = await tabwire.query('{ viewer { artifactBytes artifactQuotaBytes } }')
    expect(answer).toEqual({ viewer: { artifactBytes: 1000, artifactQuotaBytes: QUOTA } })
  })

  test('takes the last byte and not one more', async () => {
    await clear()
    const fits = await put((await api.ticket(sessionId, 'fits')).url, randomBytes(QUOTA))
    expect(fits.status).toBe(201)
    const query = 'mutation ($id: ID!) { uploadArtifact(sessionId: $id, name: "x", base64: "YQ==") { id } }'
    const { errors } = await tabwire.send(query, { id: sessionId })
    expect(errors![0]!.extensions.code).toBe('QUOTA_EXCEEDED')
    expect([await api.usedBytes(), await filesLeft()]).toEqual([QUOTA, 1])
  })

  test('is told before a byte is taken, where the length is known, and in the middle where not', async () => {
    await clear()
    const disk = await watchDisk()
    onTestFinished(() => disk.close())
    const known = await put((await api.ticket(sessionId, 'known')).url, randomBytes(QUOTA + 1))
    expect([known.status, await known.json()]).toMatchObject([413, { error: { code: 'QUOTA_EXCEEDED' } }])
    expect(disk.written).toBe(0)
    const chunk = randomBytes(100_000)
    const endless = Readable.from(
      (function* () {
        for (let sent = 0; sent < QUOTA * 2; sent += chunk.length) yield chunk
      })(),
    )
    const { url } = await api.ticket(sessionId, 'unknown')
    const unknown = await fetch(url, { method: 'PUT', body: Readable.toWeb(endless), duplex: 'half' } as RequestInit)
    expect(unknown.status).toBe(413)
    expect([await api.usedBytes(), await filesLeft()]).toEqual([0, 0])
  })

  test('holds while several of unknown length are written: together they never take more', async () => {
    await clear()
    const part = randomBytes(QUOTA / 5)
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const send = async (name: string) => {
      const { url } = await api.ticket(sessionId, name)
      const held = Readable.from(
        (async function* () {
          yield part
          await released
        })(),
      )
      return (await fetch(url, { method: 'PUT', body: Readable.toWeb(held), duplex: 'half' } as RequestInit)).status
    }
    const uploads = Array.from({ length: 5 }, (_, index) => send(`part ${index}`))
    const drafts = join(tabwire.dataDir, 'artifacts', '.unfinished')
    const written = async () => {
      const sizes = (await readdir(drafts)).map(async (name) => (await stat(join(drafts, name))).size)
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    }
    await expect.poll(written).toBe(QUOTA)
    // There is no room for more, although nothing is stored yet.
    expect([await api.usedBytes(), await send('another')]).toEqual([0, 413])
    const { url } = await api.ticket(sessionId, 'known')
    expect((await put(url, 'x')).status).toBe(413)
    release()
    expect(await Promise.all(uploads)).toEqual([201, 201, 201, 201, 201])
    expect([await api.usedBytes(), await filesLeft()]).toEqual([QUOTA, 5])
    await clear()
    expect((await put(url, 'x')).status).toBe(201)
  })

  test('holds when several come at once: nothing is kept past it', async () => {
    await clear()
    const urls = await Promise.all(
      Array.from({ length: 6 }, async (_, index) => (await api.ticket(sessionId, `${index}`)).url),
    )
    const answers = await Promise.all(urls.map((url) => put(url, randomBytes(900_000))))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, 413, 413, 413])
    expect([await api.usedBytes(), await filesLeft()]).toEqual([2_700_000, 3])
  })
})

describe('a full disk', () => {
  test('fails what does not fit with a code of its own, and nothing else is lost', async () => {
    await clear()
    const kept = await api.give(sessionId, 'kept', 'kept.txt')
    const disk = await watchDisk()
    try {
      disk.space = 100_000
      const ticket = await api.ticket(sessionId, 'big')
      const response = await put(ticket.url, randomBytes(1_000_000))
      expect([response.status, await response.json()]).toMatchObject([507, { error: { code: 'STORAGE_FULL' } }])
      const query =
        'mutation ($id: ID!, $base64: String!) { uploadArtifact(sessionId: $id, name: "x", base64: $base64) { id } }'
      const { errors } = await tabwire.send(query, { id: sessionId, base64: randomBytes(300_000).toString('base64') })
      expect(errors![0]!.extensions.code).toBe('STORAGE_FULL')
      expect(await (await fetch(kept.url)).text()).toBe('kept')
      expect(await filesLeft()).toBe(1)
      expect((await sessions.get(sessionId))!.status).toBe('RUNNING')
      disk.space = Number.POSITIVE_INFINITY
      expect((await put(ticket.url, randomBytes(1_000_000))).status).toBe(201)
    } finally {
      disk.close()
    }
  })
})
