import { readdirSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { BrowserWire } from '../../../src/adapters/playwright/cdp/cdp-connection.ts'
import { LEAST_LIMIT_BYTES } from '../../../src/adapters/playwright/launch/file-size-limit.ts'
import { Recording } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { prlimitPath } from '../../../src/adapters/playwright/launch/setpriv.ts'
import { Targets } from '../../../src/adapters/playwright/cdp/target-registry.ts'
import { NO_DEADLINE } from '../../support/patience.ts'
import { startDownloadSite } from '../../support/site-downloads.ts'
import { fakeWire } from './fake-wire.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger, startTestPool } from './test-pool.ts'

const MIB = 1024 * 1024

/** Keeps all that browsers say from us, and from them that downloads are canceled. Returns how to let it through. */
function deafen(): () => void {
  const { tell } = BrowserWire.prototype
  const hearing = vi.spyOn(BrowserWire.prototype, 'work').mockReturnValue(false)
  const telling = vi.spyOn(BrowserWire.prototype, 'tell').mockImplementation(function (this: BrowserWire, ...command) {
    if (command[0] !== 'Browser.cancelDownload') tell.apply(this, command)
  })
  const restore = () => {
    hearing.mockRestore()
    telling.mockRestore()
  }
  onTestFinished(restore)
  return restore
}

/** Of the size of files: what holds, and what it may be raised to. */
function fileLimits(pid: number): string[] {
  const [, soft, hard] = /^Max file size\s+(\S+)\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))!
  return [soft!, hard!]
}

test.skipIf(prlimitPath() === null)(
  'a download ends at its bound while the browser is not heard, and does not hear that it is canceled',
  async () => {
    const site = await startDownloadSite()
    onTestFinished(() => site.close())
    // Should it not be ended at its own bound, it is at that of all files.
    const testPool = await startTestPool({ warm: 0, tempLimitBytes: 2_048 * MIB })
    const { session, recorder } = await testPool.start()
    recorder.roomBytes = 4 * MIB
    const [pid] = testPool.browsers()
    const [, atStart] = fileLimits(pid!)

    const hear = deafen()
    const opened = session.open(`${site.url}/endless`, NO_DEADLINE)
    await expect.poll(() => site.endless).toMatchObject({ begun: 1, open: 0 })
    expect(site.endless.bytes).toBeLessThan(512 * MIB)
    expect(recorder.of('DOWNLOAD')).toEqual([])
    hear()
    await session.ping(30_000)
    await opened
    await expect
      .poll(() => recorder.of('DOWNLOAD'))
      .toMatchObject([{ url: `${site.url}/endless`, failure: 'quota exceeded', sizeBytes: null, pageId: 'p1' }])

    await expect.poll(() => fileLimits(pid!)).toEqual([atStart, atStart])
    recorder.roomBytes = 64 * MIB
    await session.open(`${site.url}/held?bytes=${20 * MIB}`, NO_DEADLINE)
    site.release()
    await expect.poll(() => recorder.of('DOWNLOAD').at(1)).toMatchObject({ failure: null, sizeBytes: 20 * MIB })
    await session.close(1_000)
    await testPool.close()
  },
)

test.skipIf(prlimitPath() === null)('also a file that has no name yet is bounded, as long as it is there', async () => {
  const testPool = await startTestPool({ warm: 0 })
  const { session, recorder } = await testPool.start()
  recorder.roomBytes = 4 * MIB
  const [pid] = testPool.browsers()
  const [, atStart] = fileLimits(pid!)
  const file = join(testPool.directory, readdirSync(testPool.directory)[0]!, 'tmp', '.org.chromium.Chromium.Abc123')
  await writeFile(file, Buffer.alloc(6 * MIB))
  await expect.poll(() => fileLimits(pid!)).toEqual([String(LEAST_LIMIT_BYTES), atStart])
  await rm(file)
  await expect.poll(() => fileLimits(pid!)).toEqual([atStart, atStart])
  expect(recorder.of('DOWNLOAD')).toEqual([])
  await session.close(1_000)
  await testPool.close()
})

describe('a download that the browser ends at the last bound of its files', () => {
  const maxBytes = 1024 * MIB

  test.each([
    [maxBytes - 1_000, 'temporary folder full'],
    [maxBytes / 2, 'canceled'],
  ])('at %d bytes: %s', (receivedBytes, failure) => {
    const { wire, hear } = fakeWire()
    const recorder = new RecordingRecorder()
    const recording = new Recording(wire, new Targets(wire), recorder, true, '/no/such/folder', logger)
    onTestFinished(() => recording.stop())
    recording.limitDownloads(maxBytes)
    hear('Browser.downloadWillBegin', { frameId: 'f', guid: 'g', url: 'http://site/', suggestedFilename: 'x' })
    hear('Browser.downloadProgress', { guid: 'g', state: 'canceled', receivedBytes, totalBytes: 0 })
    expect(recorder.of('DOWNLOAD')).toMatchObject([{ failure }])
  })
})
