import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { CdpConnection } from '../../../src/adapters/playwright/cdp/connection/cdp-connection.ts'
import { LEAST_LIMIT_BYTES } from '../../../src/adapters/playwright/launch/file-size-limit.ts'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import type { BrowserProcess } from '../../../src/adapters/playwright/launch/browser-process.ts'
import { prlimitPath } from '../../../src/adapters/playwright/launch/setpriv.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import { QuotaReservations } from '../../../src/domain/artifacts/quota-reservations.ts'
import { NO_DEADLINE } from '../../support/time-limits.ts'
import { startDownloadSite } from '../../support/site-downloads.ts'
import { fakeCdpConnection } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger, startTestPool } from './test-pool.ts'

const MIB = 1024 * 1024

/** Blocks all messages of browsers, and cancellations of downloads to them. Returns a function that unblocks them. */
function deafen(): () => void {
  const { notify } = CdpConnection.prototype
  const hearing = vi.spyOn(CdpConnection.prototype, 'work').mockReturnValue(false)
  const telling = vi.spyOn(CdpConnection.prototype, 'notify').mockImplementation(function (
    this: CdpConnection,
    ...command
  ) {
    if (command[0] !== 'Browser.cancelDownload') notify.apply(this, command)
  })
  const restore = () => {
    hearing.mockRestore()
    telling.mockRestore()
  }
  onTestFinished(restore)
  return restore
}

/** Soft and hard limit of the file size. */
function fileLimits(pid: number): string[] {
  const [, soft, hard] = /^Max file size\s+(\S+)\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))!
  return [soft!, hard!]
}

test.skipIf(prlimitPath() === null)(
  'a download ends at its bound while the browser is not heard, and does not hear that it is canceled',
  async () => {
    const site = await startDownloadSite()
    onTestFinished(() => site.close())
    // If its own limit fails, the limit of all files ends it.
    const testPool = await startTestPool({ warm: 0, tempLimitBytes: 2_048 * MIB })
    const { session, recorder } = await testPool.start()
    recorder.reservedBytes = 4 * MIB
    const [pid] = testPool.browsers()
    const [, atStart] = fileLimits(pid!)

    const emit = deafen()
    const opened = session.open(`${site.url}/endless`, NO_DEADLINE)
    await expect.poll(() => site.endless).toMatchObject({ begun: 1, open: 0 })
    expect(site.endless.bytes).toBeLessThan(512 * MIB)
    expect(recorder.of('DOWNLOAD')).toEqual([])
    emit()
    await session.ping(30_000)
    await opened
    await expect
      .poll(() => recorder.of('DOWNLOAD'))
      .toMatchObject([{ url: `${site.url}/endless`, failure: 'quota exceeded', sizeBytes: null, pageId: 'p1' }])

    await expect.poll(() => fileLimits(pid!)).toEqual([atStart, atStart])
    recorder.reservedBytes = 64 * MIB
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
  recorder.reservedBytes = 4 * MIB
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
    const { connection, emit } = fakeCdpConnection()
    const recorder = new RecordingRecorder()
    const recording = new RecorderSet(
      connection,
      new TargetRegistry(connection),
      recorder,
      true,
      '/no/such/folder',
      logger,
    )
    onTestFinished(() => recording.stop())
    recording.limitDownloads(maxBytes)
    emit('Browser.downloadWillBegin', { frameId: 'f', guid: 'g', url: 'http://site/', suggestedFilename: 'x' })
    emit('Browser.downloadProgress', { guid: 'g', state: 'canceled', receivedBytes, totalBytes: 0 })
    expect(recorder.of('DOWNLOAD')).toMatchObject([{ failure }])
  })
})

describe('the file of a download counts once in the quota of its owner, whatever it is called', () => {
  const quota = 4 * MIB
  const bytes = 2 * MIB

  /** A browser that writes the given data. `left`: remaining quota for other files of the owner. */
  function start() {
    const folder = mkdtempSync(join(tmpdir(), 'tw-'))
    const [downloads, temporary] = [join(folder, 'downloads'), join(folder, 'tmp')]
    for (const one of [downloads, temporary]) mkdirSync(one)
    const reservations = new QuotaReservations(quota, () => Promise.resolve(0), logger)
    const recorder = new RecordingRecorder()
    recorder.reserveSpace = () => reservations.open('owner')
    const { connection, emit } = fakeCdpConnection()
    const browser = { folders: { temporary }, fileSizeLimit: { set: () => {} } } as unknown as BrowserProcess
    const targets = new TargetRegistry(connection)
    const recording = new RecorderSet(connection, targets, recorder, true, downloads, logger, browser)
    // There is no browser to ask for pages.
    targets.dispose()
    const other = reservations.open('owner')
    onTestFinished(() => {
      recording.stop()
      rmSync(folder, { recursive: true })
    })
    return {
      recorder,
      left: () => other.limit,
      begin: (guid: string) =>
        emit('Browser.downloadWillBegin', { frameId: 'f', guid, url: 'http://site/', suggestedFilename: 'x' }),
      progress: (guid: string, more: object) => emit('Browser.downloadProgress', { guid, totalBytes: 0, ...more }),
      nameless: join(temporary, '.org.chromium.Chromium.Abc123'),
      named: (guid: string) => join(downloads, `${guid}.crdownload`),
    }
  }

  test('that the browser told of before it has a name', async () => {
    const { left, begin, progress, nameless, named } = start()
    begin('g')
    progress('g', { state: 'inProgress', receivedBytes: MIB })
    expect(left()).toBe(quota - MIB)
    writeFileSync(nameless, Buffer.alloc(bytes))
    await expect.poll(left).toBe(quota - bytes)
    renameSync(nameless, named('g'))
    progress('g', { state: 'inProgress', receivedBytes: bytes })
    expect(left()).toBe(quota - bytes)
  })

  test.each(['before', 'after'])('that the browser tells of %s it gets one', async (when) => {
    const { left, begin, progress, nameless, named } = start()
    writeFileSync(nameless, Buffer.alloc(bytes))
    await expect.poll(left).toBe(quota - bytes)
    if (when === 'before') begin('g')
    renameSync(nameless, named('g'))
    if (when === 'after') begin('g')
    progress('g', { state: 'inProgress', receivedBytes: bytes })
    expect(left()).toBe(quota - bytes)
  })

  test('and not at all once it is canceled', async () => {
    const { recorder, left, begin, progress, nameless, named } = start()
    begin('g')
    writeFileSync(nameless, Buffer.alloc(bytes))
    await expect.poll(left).toBe(quota - bytes)
    progress('g', { state: 'inProgress', receivedBytes: bytes, totalBytes: 2 * quota })
    expect(left()).toBe(quota)
    progress('g', { state: 'canceled', receivedBytes: bytes })
    await expect.poll(() => recorder.of('DOWNLOAD')).toMatchObject([{ failure: 'quota exceeded' }])
    // The browser renames it nevertheless, and is slow to remove it.
    renameSync(nameless, named('g'))
    writeFileSync(named('untold'), Buffer.alloc(MIB))
    await expect.poll(left).toBe(quota - MIB)
  })
})
