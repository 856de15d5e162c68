import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { BrowserContext, Page } from 'playwright'
import { expect, onTestFinished, test } from 'vitest'
import type { BrowserProcess } from '../../../src/adapters/playwright/launch/browser-process.ts'
import { processesWith } from '../../../src/adapters/playwright/launch/orphan-reaper.ts'
import { CaptureSet } from '../../../src/adapters/playwright/captures/capture-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'

/** Size field of a complete WebM. */
const FINISHED = '185380670100000000000010'
/** Like an ffmpeg without frames: it writes when its input ends, and nothing when it is killed earlier. */
const ENCODER = `
  process.stdin.resume().on('end', () => {
    require('node:fs').writeFileSync(process.argv[1], Buffer.from('${FINISHED}', 'hex'))
  })`

/** A session's only page with a video written by a separate process; the context closes like Playwright's. */
async function startVideo() {
  const folder = await mkdtemp(join(tmpdir(), 'tw-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'page.webm')
  const encoder = spawn(process.execPath, ['-e', ENCODER, path], { stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = new Promise<string | null>((resolve) => encoder.once('exit', (_, signal) => resolve(signal)))
  onTestFinished(async () => {
    encoder.kill('SIGKILL')
    await ended
  })
  const page = { video: () => ({ path: () => Promise.resolve(path) }) } as unknown as Page
  const context = {
    on: () => {},
    pages: () => [page],
    browser: () => null,
    newCDPSession: () => Promise.reject(new Error('the page is gone')),
    close: async () => void encoder.stdin.end(),
  } as unknown as BrowserContext
  const recorder = new RecordingRecorder()
  const { connection } = fakeCdpConnection()
  const browser = { folders: { recordings: folder }, connection } as BrowserProcess
  const recordings = new CaptureSet(['VIDEO'], browser, new TargetRegistry(connection), recorder, logger)
  await recordings.start(context)
  await expect.poll(() => processesWith(path)).toEqual([encoder.pid])
  return { recordings, recorder, path, encoder, ended }
}

test('a video of which nothing is written yet when recordings are broken off is kept', async () => {
  const { recordings, recorder, path, encoder } = await startVideo()
  recordings.breakOff('full')
  expect(recorder.of('ARTIFACT_FAILED')).toMatchObject([{ kind: 'VIDEO', partial: true }])
  // A search for it, to end it, would have found it by then.
  for (let searches = 0; searches < 5; searches += 1) expect(await processesWith(path)).toEqual([encoder.pid])
  const files = await recordings.finish(600_000, async () => {})
  expect(files).toMatchObject([{ kind: 'VIDEO' }])
  expect(await buffer(await files[0]!.open())).toEqual(await readFile(path))
})

test('it is ended as soon as some is', async () => {
  const { recordings, ended } = await startVideo()
  recordings.breakOff('full')
  recordings.sized(new Map([['recordings/page.webm', 512]]))
  expect(await ended).toBe('SIGTERM')
})

test('nobody waits for an ffmpeg that is gone: what it has written is kept', async () => {
  const { recordings, path, encoder, ended } = await startVideo()
  await writeFile(path, Buffer.from(FINISHED.slice(0, 8), 'hex'))
  encoder.kill('SIGKILL')
  await ended
  const files = await recordings.finish(600_000, async () => {})
  expect(files).toMatchObject([{ kind: 'VIDEO' }])
  expect(await buffer(await files[0]!.open())).toEqual(await readFile(path))
})
