import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { lookup } from 'mime-types'
import type { Logger } from '../../logger.ts'
import type { FileRoom } from '../../ports/file-room.ts'
import { TEXT_LIMITS, type EntryData } from '../../ports/log-entry.ts'
import type { KeptFile, Recorder } from '../../ports/browser.ts'
import type { BrowserWire } from './browser-wire.ts'
import type { CdpEvents } from './cdp-events.ts'
import { cutText, cutUrl } from './cut-text.ts'
import { within } from './deadline.ts'
import type { Targets } from './targets.ts'

/** Why we canceled a download: a stable text, and a sentence. */
interface Cancellation {
  failure: 'quota exceeded' | 'temporary folder full' | `BLOCKED (${string})`
  why: string
}

interface Download {
  begin: Pick<CdpEvents['Browser.downloadWillBegin'], 'guid' | 'url' | 'suggestedFilename'>
  pageId: string | null
  /** Contexts that it may be of. */
  contextIds: string[]
  room: FileRoom
  canceled: Cancellation | null
}

/** The files are called by their guids, which come from the browser: no path, and nothing but a name. */
const PLAIN_NAME = /^[\w-]{1,100}$/
/** As Chromium calls a file that it still writes. */
const UNFINISHED = '.crdownload'
/**
 * A download may exceed what is left by as much before it is canceled: a small one is complete before anybody could
 * cancel it, and is then refused as any other file.
 */
const GRACE_BYTES = 1024 * 1024
/** Chromium reports progress twice a second, in which it may write hundreds of megabytes: sizes are looked at as well. */
const LOOK_MS = { least: 20, most: 500 } as const
/** What is written at most in a millisecond, to know when to look again. */
const BYTES_PER_MS = 500_000

/**
 * Downloads, each when it has ended and its file has been kept. While one is written it takes no more than what the
 * owner's quota leaves: then it is canceled.
 */
export class DownloadRecorder {
  readonly #wire: BrowserWire
  readonly #targets: Targets
  readonly #recorder: Recorder
  readonly #downloadsDir: string
  readonly #logger: Logger
  readonly #running = new Map<string, Download>()
  readonly #keeping = new Set<Promise<void>>()
  #maxBytes = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | null = null
  #isLooking = false
  #isOver = false

  #refusalOf: (url: string) => Cancellation | null = () => null

  constructor(wire: BrowserWire, targets: Targets, recorder: Recorder, downloadsDir: string, logger: Logger) {
    this.#wire = wire
    this.#targets = targets
    this.#recorder = recorder
    this.#downloadsDir = downloadsDir
    this.#logger = logger
    wire.on('Browser.downloadWillBegin', (begin) => this.#begun(begin))
    wire.on('Browser.downloadProgress', ({ guid, state, receivedBytes, totalBytes }) => {
      const download = this.#running.get(guid)
      if (!download) return
      this.#grown(guid, download, receivedBytes)
      if (state === 'inProgress') {
        // One that cannot fit is canceled before it takes any room.
        if (totalBytes > 0) this.#judge(guid, download, totalBytes)
        return
      }
      this.#running.delete(guid)
      const keeping = this.#ended(download, state === 'completed' ? receivedBytes : null).finally(() => {
        download.room.release()
        this.#keeping.delete(keeping)
      })
      this.#keeping.add(keeping)
    })
  }

  /** Bounds each download, whatever the quota leaves. */
  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  /** `why`: cancels a download from a URL that is never opened; null: it is. */
  refuse(why: (url: string) => Cancellation | null): void {
    this.#refusalOf = why
  }

  /** Cancels all that run, for the temporary folder is full. */
  breakOff(why: string): void {
    for (const [guid, download] of this.#running)
      this.#cancel(guid, download, { failure: 'temporary folder full', why })
  }

  /** Waits for files that are being kept; downloads that still run, or begin later, have failed then. */
  async finish(deadlineMs: number): Promise<void> {
    await within(Promise.all(this.#keeping), deadlineMs)
    this.dispose()
  }

  dispose(): void {
    this.#isOver = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    for (const [guid, download] of this.#running) this.#end(guid, download)
    this.#running.clear()
  }

  #end(guid: string, download: Download): void {
    const { canceled, room } = download
    if (!canceled) this.#tellCancel(guid, download)
    room.release()
    const failure = canceled?.failure ?? 'session ended'
    this.#record(download, { sizeBytes: null, failure, artifactId: null, keepFailure: canceled?.why ?? null })
  }

  #begun(begin: CdpEvents['Browser.downloadWillBegin']): void {
    if (!PLAIN_NAME.test(begin.guid)) {
      this.#logger.error({ guid: begin.guid }, 'a download whose guid is no plain name is not looked at')
      return
    }
    const page = this.#targets.pageOfFrame(begin.frameId)
    const contextId = page?.browserContextId
    // Its page may be gone: a popup that was opened for the download alone.
    const contextIds = contextId ? [contextId] : this.#targets.contextIds()
    const room = this.#recorder.openRoom()
    const download = {
      begin: {
        guid: begin.guid,
        url: cutUrl(begin.url),
        suggestedFilename: cutText(begin.suggestedFilename, TEXT_LIMITS.fileName),
      },
      pageId: page?.pageId ?? null,
      contextIds,
      room,
      canceled: null,
    }
    if (this.#isOver) return this.#end(begin.guid, download)
    this.#running.set(begin.guid, download)
    const refusal = this.#refusalOf(begin.url)
    if (refusal) this.#cancel(begin.guid, download, refusal)
    if (this.#timer === null && !this.#isLooking) this.#lookIn(LOOK_MS.least)
  }

  #lookIn(delayMs: number): void {
    this.#timer = setTimeout(() => void this.#look(), delayMs)
    this.#timer.unref()
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#timer = null
    this.#isLooking = true
    let leastLeft = Number.POSITIVE_INFINITY
    for (const [guid, download] of this.#running) {
      const path = join(this.#downloadsDir, guid)
      const size = (await sizeOf(`${path}${UNFINISHED}`)) ?? (await sizeOf(path)) ?? 0
      if (this.#running.get(guid) !== download) continue
      this.#grown(guid, download, size)
      leastLeft = Math.min(leastLeft, Math.min(download.room.limit, this.#maxBytes) - size)
    }
    this.#isLooking = false
    if (this.#running.size === 0 || this.#isOver) return
    this.#lookIn(Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, leastLeft / BYTES_PER_MS / this.#running.size)))
  }

  #grown(guid: string, download: Download, bytes: number): void {
    download.room.grow(bytes)
    this.#judge(guid, download, bytes)
  }

  #judge(guid: string, download: Download, bytes: number): void {
    const { limit } = download.room
    if (bytes > limit + GRACE_BYTES) {
      const left = Math.max(0, limit)
      const why = `The artifacts of this owner would take more than their quota: ${left} bytes were left for this download. Delete some.`
      this.#cancel(guid, download, { failure: 'quota exceeded', why })
    } else if (bytes > this.#maxBytes) {
      const why = `A session may have ${this.#maxBytes} bytes in the temporary folder, half of TABWIRE_TEMP_LIMIT_MB.`
      this.#cancel(guid, download, { failure: 'temporary folder full', why })
    }
  }

  #cancel(guid: string, download: Download, cancellation: Cancellation): void {
    if (download.canceled) return
    download.canceled = cancellation
    // Its bytes are about to be freed, and no other has to go for them.
    download.room.release()
    this.#tellCancel(guid, download)
  }

  #tellCancel(guid: string, { contextIds }: Download): void {
    for (const browserContextId of contextIds) this.#wire.tell('Browser.cancelDownload', { guid, browserContextId })
  }

  /** `sizeBytes`: null when it did not complete. Never rejects. */
  async #ended(download: Download, sizeBytes: number | null): Promise<void> {
    const { begin, canceled } = download
    // Playwright names the files by their guid.
    const path = join(this.#downloadsDir, begin.guid)
    if (canceled) {
      const { failure, why: keepFailure } = canceled
      this.#record(download, { sizeBytes: null, failure, artifactId: null, keepFailure })
    } else if (sizeBytes === null) {
      this.#record(download, { sizeBytes, failure: 'canceled', artifactId: null, keepFailure: null })
    } else {
      const { artifactId, failure: keepFailure } = await this.#keep(download, path)
      this.#record(download, { sizeBytes, failure: null, artifactId, keepFailure })
    }
    // Left to the end of the session, they would fill the disk.
    for (const file of [path, `${path}${UNFINISHED}`]) {
      await rm(file, { force: true }).catch((error: unknown) =>
        this.#logger.warn({ err: error }, 'a downloaded file could not be removed'),
      )
    }
  }

  #keep({ begin, pageId, room }: Download, path: string): Promise<KeptFile> {
    const name = begin.suggestedFilename
    const contentType = lookup(name) || 'application/octet-stream'
    return this.#recorder.keepFile({ kind: 'DOWNLOAD', name, contentType, pageId, path, room })
  }

  #record(
    { begin, pageId }: Download,
    how: Pick<EntryData['DOWNLOAD'], 'sizeBytes' | 'failure' | 'artifactId' | 'keepFailure'>,
  ): void {
    const { url, suggestedFilename } = begin
    this.#recorder.record({ kind: 'DOWNLOAD', at: Date.now(), data: { url, suggestedFilename, pageId, ...how } })
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return lstat(path).then(
    ({ size }) => size,
    () => null,
  )
}
