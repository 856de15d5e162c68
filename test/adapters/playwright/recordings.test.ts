import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import yauzl from 'yauzl'
import type { BrowserRecordingKind } from '../../../src/ports/artifacts/artifact.ts'
import { startActionPages, type ActionSitePages } from '../../support/site-actions.ts'
import { take } from '../../support/take-steps.ts'
import { startTestPool, type TestPool } from './test-pool.ts'
import { freezeProcesses } from '../../support/freeze-process.ts'

let testPool: TestPool
let site: ActionSitePages

beforeAll(async () => {
  site = await startActionPages()
  testPool = await startTestPool()
})

afterAll(async () => {
  await testPool.close()
  await site.close()
})

/** A session with recordings that opens a page and a second one, and ends as given by `end`. */
async function recorded(record: BrowserRecordingKind[], end: 'in order' | 'crashed' | 'stopped' = 'in order') {
  const { session, recorder } = await testPool.start({ record, viewport: { width: 640, height: 360 } })
  expect((await take(session, { navigate: { url: `${site.url}/form` } })).error).toBeNull()
  expect((await take(session, { fill: { target: { css: '#user' }, value: 'ann' } })).error).toBeNull()
  expect((await take(session, { evaluate: { expression: `() => console.log('said', 6 * 7)` } })).error).toBeNull()
  expect((await take(session, { openPage: { url: `${site.url}/moves` } })).error).toBeNull()
  const pids = testPool.browsers()
  if (end === 'crashed') {
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await session.crashed
  }
  if (end === 'stopped') await freezeProcesses(...testPool.processes())
  await session.flush(end === 'in order' ? 1_000 : 0)
  await session.finishFiles(end === 'in order' ? 20_000 : 6_000)
  const { files } = recorder
  await session.close(500)
  return { files, recorder }
}

async function readArchive(bytes: Buffer): Promise<Map<string, string>> {
  const archive = await promisify<Buffer, yauzl.Options, yauzl.ZipFile>(yauzl.fromBuffer)(bytes, { lazyEntries: false })
  const open = promisify<yauzl.Entry, NodeJS.ReadableStream>(archive.openReadStream.bind(archive))
  const contents = new Map<string, string>()
  const reading: Promise<void>[] = []
  archive.on('entry', (entry: yauzl.Entry) => {
    const read = async () => {
      const chunks: Buffer[] = []
      for await (const chunk of await open(entry)) chunks.push(chunk as Buffer)
      contents.set(entry.fileName, Buffer.concat(chunks).toString())
    }
    reading.push(read())
  })
  await new Promise((resolve) => archive.once('end', resolve))
  await Promise.all(reading)
  return contents
}

/** Duration in seconds and size, as played by a browser. */
async function play(bytes: Buffer): Promise<{ duration: number; width: number; height: number }> {
  const { session } = await testPool.start()
  const expression = `(source) => new Promise((resolve, reject) => {
    const video = document.createElement('video')
    video.onloadedmetadata = () => resolve({ duration: video.duration, width: video.videoWidth, height: video.videoHeight })
    video.onerror = () => reject(new Error(video.error.message))
    video.src = source
  })`
  const arg = `data:video/webm;base64,${bytes.toString('base64')}`
  const { result, error } = await take(session, { evaluate: { expression, arg } })
  await session.close(500)
  expect(error).toBeNull()
  return result as { duration: number; width: number; height: number }
}

/** A file not finished by ffmpeg would lack its duration. */
async function expectWhole(video: Buffer): Promise<void> {
  const { duration } = await play(video)
  expect(duration).toBeGreaterThan(0)
  expect(Number.isFinite(duration)).toBe(true)
}

const kindsAndPages = (files: readonly { kind: string; pageId: string | null }[]) =>
  files.map(({ kind, pageId }) => `${kind} ${pageId}`).toSorted()

describe('a session that ends in order', () => {
  test('leaves a trace and a video of each page; no page is told to have closed', async () => {
    const { files, recorder } = await recorded(['VIDEO', 'TRACE'])
    expect(kindsAndPages(files)).toEqual(['TRACE null', 'VIDEO p1', 'VIDEO p2'])
    const of = (kind: string) => files.find((file) => file.kind === kind)!

    const trace = await readArchive(of('TRACE').bytes)
    expect(trace.get('trace.trace')).toContain(`${site.url}/form`)
    expect(trace.get('trace.trace')).toContain('said 42')
    expect(trace.get('trace.network')).toContain(`${site.url}/moves`)
    expect([...trace.keys()].some((name) => name.endsWith('.jpeg'))).toBe(true)

    for (const video of files.filter(({ kind }) => kind === 'VIDEO')) {
      const { duration, width, height } = await play(video.bytes)
      expect(duration).toBeGreaterThan(0)
      expect([width, height]).toEqual([640, 360])
    }
    expect(recorder.of('PAGE_CLOSED')).toEqual([])
  })

  test('a trace takes the browser that was ready as it is', async () => {
    await expect.poll(() => testPool.pool.warmCount()).toBe(1)
    const { session, recorder } = await testPool.start({ record: ['TRACE'] })
    expect(session.pages()).toHaveLength(1)
    await take(session, { navigate: { url: `${site.url}/form` } })
    await session.finishFiles(20_000)
    expect(kindsAndPages(recorder.files)).toEqual(['TRACE null'])
    await session.close(500)
  })

  test('without recordings there are no files', async () => {
    expect((await recorded([])).files).toEqual([])
  })
})

describe('what is lost with the browser', () => {
  test.each(['crashed', 'stopped'] as const)('is kept as far as it went: %s', async (end) => {
    const { files } = await recorded(['VIDEO', 'TRACE'], end)
    expect(kindsAndPages(files)).toEqual(['TRACE null', 'VIDEO p1', 'VIDEO p2'])
    const of = (kind: string) => files.find((file) => file.kind === kind)!
    expect((await readArchive(of('TRACE').bytes)).get('trace.trace')).toContain(`${site.url}/form`)
    for (const video of files.filter(({ kind }) => kind === 'VIDEO')) await expectWhole(video.bytes)
  })

  test('a video is waited for when there is nothing else to do', async () => {
    const { files } = await recorded(['VIDEO'], 'crashed')
    expect(kindsAndPages(files)).toEqual(['VIDEO p1', 'VIDEO p2'])
    for (const video of files) await expectWhole(video.bytes)
  })
})
