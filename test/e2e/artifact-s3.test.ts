import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StartupFailed } from '../../src/startup-failed.ts'
import { artifactApi } from '../support/artifact-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startS3, type TestS3 } from '../support/s3-server.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let s3: TestS3
let tabwire: TestApp
let sessionId: string
const api = artifactApi(() => tabwire)
const sessions = sessionApi(() => tabwire)

beforeAll(async () => {
  s3 = await startS3()
  tabwire = await startTestApp({ artifacts: s3.config })
  sessionId = (await sessions.start()).id
})
afterAll(async () => {
  await tabwire?.close()
  await s3?.close()
})

test('artifacts are kept in the bucket, come back through the server, and are deleted there', async () => {
  const bytes = randomBytes(12_000_000)
  const ticket = await api.ticket(sessionId, 'large.bin')
  const answer = await fetch(ticket.url, { method: 'PUT', body: bytes })
  expect([answer.status, await answer.json()]).toMatchObject([
    201,
    { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
  ])
  const { url } = (await api.find(ticket.artifactId))!
  expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(bytes)).toBe(true)
  const part = await fetch(url, { headers: { range: 'bytes=5000000-5000009' } })
  expect(part.status).toBe(206)
  expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(5_000_000, 5_000_010))).toBe(true)
  expect(await readdir(tabwire.dataDir)).not.toContain('artifacts')
  await api.remove(ticket.artifactId)
  expect((await fetch(url)).status).toBe(404)
})

test('a server that is away is a code of its own, GET /ready tells, and it works when it is back', async () => {
  const kept = await api.give(sessionId, 'kept', 'kept.txt')
  s3.intercept = ({ socket }) => {
    socket.destroy()
    return true
  }
  const query = 'mutation ($id: ID!) { uploadArtifact(sessionId: $id, name: "x", base64: "YQ==") { id } }'
  expect((await tabwire.send(query, { id: sessionId })).errors![0]!.extensions.code).toBe('STORAGE_UNAVAILABLE')
  const ready = await fetch(`${tabwire.url}/ready`)
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { ready: false, missing: ['the artifact store cannot be used'] },
  ])
  const download = await fetch(kept.url)
  expect([download.status, (await download.json()).error?.code]).toEqual([503, 'STORAGE_UNAVAILABLE'])
  const remove = 'mutation ($id: ID!) { deleteArtifact(id: $id) }'
  expect((await tabwire.send(remove, { id: kept.id })).errors![0]!.extensions.code).toBe('STORAGE_UNAVAILABLE')
  s3.intercept = null
  // A recent result is reused.
  await expect.poll(async () => (await fetch(`${tabwire.url}/ready`)).status).toBe(200)
  expect(await (await fetch(kept.url)).text()).toBe('kept')
  expect((await sessions.get(sessionId))!.status).toBe('RUNNING')
})

test('downloads=redirect sends clients to the bucket, for seconds, and a wrong link nowhere', async () => {
  const redirecting = await startTestApp({ artifacts: { ...s3.config, downloads: 'redirect' } })
  try {
    const { id } = await sessionApi(() => redirecting).start()
    const { url, id: artifactId } = await artifactApi(() => redirecting).give(
      id,
      'from the bucket',
      'x.txt',
      'text/plain',
    )
    const response = await fetch(url, { redirect: 'manual' })
    expect([response.status, response.headers.get('cache-control')]).toEqual([302, 'no-store'])
    const location = new URL(response.headers.get('location')!)
    expect(location.origin).toBe(s3.config.endpoint)
    expect(Number(location.searchParams.get('X-Amz-Expires'))).toBe(60)
    expect(location.searchParams.get('response-content-disposition')).toBe('attachment; filename=x.txt')
    expect(await (await fetch(url)).text()).toBe('from the bucket')
    const brief = new URL(await artifactApi(() => redirecting).link(artifactId, 20))
    const sent = await fetch(brief, { redirect: 'manual' })
    const presigned = new URL(sent.headers.get('location')!).searchParams
    const [, day, time] = /^(\d{8})T(\d{6})Z$/.exec(presigned.get('X-Amz-Date')!)!
    const signedAt = Date.parse(
      `${day!.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time!.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`,
    )
    const ends = signedAt / 1000 + Number(presigned.get('X-Amz-Expires'))
    expect(ends).toBeLessThanOrEqual(Number(brief.searchParams.get('expires')))
    expect((await fetch(`${url}x`, { redirect: 'manual' })).status).toBe(403)
    expect((await fetch(url, { method: 'HEAD', redirect: 'manual' })).status).toBe(200)
  } finally {
    await redirecting.close()
  }
})

test('a bucket that cannot be used is one line at the start', async () => {
  const starting = startTestApp({ artifacts: { ...s3.config, bucket: 'nowhere' } })
  await expect(starting).rejects.toThrow(StartupFailed)
  await expect(starting).rejects.toThrow(/^Artifacts cannot be kept in the bucket nowhere: [^\n]+\.$/)
})
