import { watch, type FSWatcher } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { lookup } from 'mime-types'
import type { Logger } from '../../../../logger.ts'
import type { SpaceReservation } from '../../../../ports/artifacts/space-reservation.ts'
import { TEXT_LIMITS, type EntryData } from '../../../../ports/log/log-entry.ts'
import type { SavedFile, EventSink } from '../../../../ports/browser/browser.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { openPlainFile } from '../../launch/plain-file.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import { Deadline } from '../../../../async/deadline.ts'
import type { BrowserProcess } from '../../launch/browser-process.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'
import { CanceledDownloads } from './canceled-downloads.ts'
import { excessOf, GRACE_BYTES, type Cancellation } from './download-limits.ts'
import { DownloadFiles, guidOf, NAMELESS, PLAIN_NAME, UNFINISHED } from './download-files.ts'

interface Download {
  /** The browser's report; null: it has not reported the download yet, but there is a file. */
  begin: (Pick<CdpEvents['Browser.downloadWillBegin'], 'url' | 'suggestedFilename'> & { pageId: string | null }) | null
  /** Contexts that it may belong to. */
  contextIds: () => string[]
  reservation: SpaceReservation
  /** Name of its file until that is named by the guid, if known. */
  nameless: string | null
  /** Size of the file at the last check; null: there is none. */
  bytes: number | null
  canceled: (Cancellation & { atBytes: number }) | null
}

/** Chromium reports progress twice a second, with hundreds of megabytes in between: sizes are checked as well. */
const LOOK_MS = { least: 20, most: 500 } as const
/** Highest expected write rate, which determines the time of the next check. */
const BYTES_PER_MS = 500_000
/** Downloads whose sizes are checked in one turn of the event loop, about 5 µs each. */
const LOOKED_AT_ONCE = 200

/**
 * Records each download when it has ended and its file was stored. A download that exceeds the rest of the owner's
 * quota is canceled.
 *
 * The browser's reports are late while it is busy or its pipe is paused; so new files are detected in the folder, and
 * until the browser has canceled a download, the kernel keeps its file from growing.
 */
export class DownloadRecorder {
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #downloadsDir: string
  readonly #logger: Logger
  readonly #browser: Pick<BrowserProcess, 'folders' | 'fileSizeLimit'> | null
  readonly #files: DownloadFiles
  /** By guid, or by name until there is one. Those that the browser has not reported are included while they have a file. */
  readonly #running = new Map<string, Download>()
  readonly #gone = new CanceledDownloads()
  readonly #saving = new Map<string, Promise<void>>()
  readonly #watchers: FSWatcher[] = []
  /**
   * Called with each download that has ended, before its file is removed: whether it was stored. Replace it; must not
   * reject.
   */
  onEnded: (guid: string, path: string, isSaved: boolean) => Promise<void> = () => Promise.resolve()
  #maxBytes = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | null = null
  #isOver = false

  #refusalOf: (url: string) => Cancellation | null = () => null

  constructor(
    connection: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    downloadsDir: string,
    logger: Logger,
    browser?: Pick<BrowserProcess, 'folders' | 'fileSizeLimit'>,
  ) {
    this.#connection = connection
    this.#targets = targets
    this.#recorder = recorder
    this.#downloadsDir = downloadsDir
    this.#logger = logger
    this.#browser = browser ?? null
    this.#files = new DownloadFiles(downloadsDir, browser?.folders.temporary ?? null)
    this.#watch(downloadsDir, guidOf, PLAIN_NAME)
    if (browser) this.#watch(browser.folders.temporary, (name) => name, NAMELESS)
    connection.on('Browser.downloadWillBegin', (begin) => this.#begun(begin))
    connection.on('Browser.downloadProgress', (progress) => this.#progressed(progress))
  }

  /** Limits each download, whatever quota is left. */
  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  /** `why`: returns the reason to cancel a download from a blocked URL; null: it is allowed. */
  refuse(why: (url: string) => Cancellation | null): void {
    this.#refusalOf = why
  }

  /** Cancels all running downloads, because the temporary folder is full. */
  breakOff(why: string): void {
    for (const [guid, download] of this.#running)
      this.#cancel(guid, download, { failure: 'temporary folder full', why })
    this.#holdSizes()
  }

  /** Waits for files that are being stored; downloads that are still running, or begin later, count as failed. */
  async finish(deadlineMs: number): Promise<void> {
    await Deadline.isMet(Promise.all(this.#saving.values()), deadlineMs)
    this.dispose()
  }

  dispose(): void {
    this.#isOver = true
    for (const watcher of this.#watchers) watcher.close()
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    for (const [guid, download] of this.#running) this.#end(guid, download)
    this.#running.clear()
    this.#gone.clear()
  }

  #end(guid: string, download: Download): void {
    const { canceled, reservation } = download
    if (!canceled) this.#sendCancel(guid, download)
    reservation.release()
    const failure = canceled?.failure ?? 'session ended'
    this.#record(download, { sizeBytes: null, failure, artifactId: null, keepFailure: canceled?.why ?? null })
  }

  /** If watching fails, files are known only from the browser's reports. */
  #watch(folder: string, keyOf: (name: string) => string, keys: RegExp): void {
    const unwatched = (error: unknown) =>
      this.#logger.warn({ err: error, folder }, 'a folder of downloads cannot be watched')
    try {
      const watcher = watch(folder, { persistent: false }, (event, name) => {
        // Other events report writes, which the checks detect.
        if (event !== 'rename' || name === null || !keys.test(keyOf(name))) return
        this.#guarded(() => this.#noticed(keyOf(name)))
      })
      this.#watchers.push(watcher.on('error', unwatched))
    } catch (error) {
      unwatched(error)
    }
  }

  /** The callbacks have no caller to catch errors. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#recorder.failed(error)
    }
  }

  /** A file was created, removed or renamed. */
  #noticed(name: string): void {
    if (this.#isOver || this.#running.has(name) || this.#saving.has(name)) return
    const bytes = this.#sizeOf(name, null)
    if (bytes === null) return
    const isNameless = NAMELESS.test(name)
    const known = isNameless ? this.#withoutFile() : this.#taken(name)
    if (!known) {
      const nameless = isNameless ? name : null
      this.#started(name, { begin: null, contextIds: () => this.#targets.contextIds(), nameless, bytes })
      return
    }
    const [guid, download] = known
    if (isNameless) download.nameless = name
    download.bytes = bytes
    if (download.canceled) this.#sendCancel(guid, download)
    else this.#grown(guid, download, bytes)
    this.#holdSizes()
  }

  /** The oldest download that was reported before its file was found: the browser creates files in that order. */
  #withoutFile(): [guid: string, Download] | null {
    for (const [guid, download] of this.#running) {
      const { begin, nameless } = download
      if (begin && nameless === null && this.#sizeOf(guid, null) === null) return [guid, download]
    }
    return null
  }

  /**
   * Assigns the oldest file without a guid to this guid or, if the guid already has a file, one that no longer exists:
   * a file that counted twice would take the room of others.
   */
  #taken(guid: string): [guid: string, Download] | null {
    const hasFile = this.#files.named(guid) !== null
    for (const [name, download] of this.#running) {
      if (!NAMELESS.test(name) || (hasFile && this.#files.nameless(name) !== null)) continue
      this.#running.delete(name)
      this.#running.set(guid, download)
      return [guid, download]
    }
    return null
  }

  #begun({ guid, frameId, url, suggestedFilename }: CdpEvents['Browser.downloadWillBegin']): void {
    if (!PLAIN_NAME.test(guid)) {
      this.#logger.error({ guid }, 'ignored a download whose guid is not a plain name')
      return
    }
    const page = this.#targets.pageOfFrame(frameId)
    const contextId = page?.browserContextId
    // Its page may be gone: a popup that was opened only for the download.
    const ids = contextId ? [contextId] : this.#targets.contextIds()
    const begin = {
      url: cutUrl(url),
      suggestedFilename: cutText(suggestedFilename, TEXT_LIMITS.fileName),
      pageId: page?.pageId ?? null,
    }
    const contextIds = () => ids
    const known = this.#running.get(guid) ?? this.#taken(guid)?.[1]
    if (known) Object.assign(known, { begin, contextIds })
    else this.#started(guid, { begin, contextIds, nameless: null, bytes: null })
    const download = this.#running.get(guid)
    if (!download) return
    const refusal = this.#refusalOf(url)
    // Its context may have been unknown before.
    if (download.canceled) this.#sendCancel(guid, download)
    else if (refusal) this.#cancel(guid, download, refusal)
  }

  #started(guid: string, reported: Pick<Download, 'begin' | 'contextIds' | 'nameless' | 'bytes'>): void {
    const download: Download = { ...reported, reservation: this.#recorder.reserveSpace(), canceled: null }
    if (this.#isOver) return this.#end(guid, download)
    this.#running.set(guid, download)
    const canceled = this.#gone.take(guid)
    if (canceled) this.#cancel(guid, download, canceled)
    this.#grown(guid, download, download.bytes ?? 0)
    if (download.canceled) this.#holdSizes()
    // The next check may have been scheduled much later, for a slow download.
    this.#lookIn(LOOK_MS.least)
  }

  #progressed({ guid, state, receivedBytes, totalBytes }: CdpEvents['Browser.downloadProgress']): void {
    const download = this.#running.get(guid)
    if (!download) return
    // A download that failed at the kernel's limit may be slightly smaller than its own limit.
    this.#grown(guid, download, receivedBytes, state === 'canceled' ? GRACE_BYTES : 0)
    // One that cannot fit is canceled before it takes any room.
    if (state === 'inProgress' && totalBytes > 0) this.#judge(guid, download, totalBytes)
    if (state !== 'inProgress') this.#leave(guid, download)
    if (download.canceled) this.#holdSizes()
    if (state === 'inProgress') return
    const saving = this.#ended(guid, download, state === 'completed' ? receivedBytes : null).finally(() => {
      download.reservation.release()
      this.#saving.delete(guid)
    })
    this.#saving.set(guid, saving)
  }

  #lookIn(delayMs: number): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#guarded(() => this.#look()), delayMs)
    this.#timer.unref()
  }

  /** Sizes are read synchronously: Node's threads may be blocked by the very disk that is being filled. */
  #look(): void {
    this.#timer = null
    let leastLeft = Number.POSITIVE_INFINITY
    for (const [guid, download] of [...this.#running].slice(0, LOOKED_AT_ONCE)) {
      // Moved to the end, so that all get their turn.
      this.#running.delete(guid)
      download.bytes = this.#sizeOf(guid, download.nameless)
      if (download.bytes === null && download.begin === null) {
        this.#vanished(guid, download)
        continue
      }
      this.#running.set(guid, download)
      const bytes = download.bytes ?? 0
      this.#grown(guid, download, bytes)
      leastLeft = Math.min(leastLeft, Math.min(download.reservation.limit, this.#maxBytes) - bytes)
    }
    this.#holdSizes()
    if (this.#running.size === 0) return
    this.#lookIn(Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, leastLeft / BYTES_PER_MS / this.#running.size)))
  }

  #sizeOf(guid: string, nameless: string | null): number | null {
    if (NAMELESS.test(guid)) return this.#files.nameless(guid)
    return this.#files.named(guid) ?? (nameless === null ? null : this.#files.nameless(nameless))
  }

  /** Its file was removed before the browser has reported the download, which it may still do. */
  #vanished(guid: string, download: Download): void {
    download.reservation.release()
    this.#leave(guid, download)
  }

  #leave(guid: string, { canceled }: Download): void {
    this.#running.delete(guid)
    if (canceled && !NAMELESS.test(guid)) this.#gone.add(guid, canceled)
  }

  #grown(guid: string, download: Download, bytes: number, slack = 0): void {
    download.reservation.grow(bytes)
    this.#judge(guid, download, bytes, slack)
  }

  #judge(guid: string, download: Download, bytes: number, slack = 0): void {
    const limits = { quotaBytes: download.reservation.limit, folderBytes: this.#maxBytes }
    const excess = excessOf(bytes, limits, slack)
    if (excess) this.#cancel(guid, download, excess)
  }

  #cancel(guid: string, download: Download, cancellation: Cancellation): void {
    if (download.canceled) return
    download.bytes = this.#sizeOf(guid, download.nameless)
    download.canceled = { ...cancellation, atBytes: download.bytes ?? 0 }
    // Its bytes are about to be freed, and no other download has to be canceled for them.
    download.reservation.release()
    this.#sendCancel(guid, download)
  }

  /** While the browser still writes canceled files, no file may be larger than those are, or than others may become. */
  #holdSizes(): void {
    let isHeld = false
    let most = 0
    for (const { canceled, bytes, reservation } of this.#running.values()) {
      if (canceled && bytes !== null) isHeld = true
      // One byte more than allowed, so that an excess is detected.
      most = Math.max(most, canceled?.atBytes ?? Math.min(reservation.limit + GRACE_BYTES, this.#maxBytes) + 1)
    }
    this.#browser?.fileSizeLimit.set(isHeld ? most : null)
  }

  #sendCancel(guid: string, { contextIds }: Download): void {
    if (NAMELESS.test(guid)) return
    for (const browserContextId of contextIds())
      this.#connection.notify('Browser.cancelDownload', { guid, browserContextId })
  }

  /** `sizeBytes`: null when it did not complete. Never rejects. */
  async #ended(guid: string, download: Download, sizeBytes: number | null): Promise<void> {
    const { canceled } = download
    // Playwright names the files by their guid.
    const path = join(this.#downloadsDir, guid)
    let isSaved = false
    if (canceled) {
      const { failure, why: keepFailure } = canceled
      this.#record(download, { sizeBytes: null, failure, artifactId: null, keepFailure })
    } else if (sizeBytes === null) {
      this.#record(download, { sizeBytes, failure: 'canceled', artifactId: null, keepFailure: null })
    } else {
      const { artifactId, failure: keepFailure } = await this.#save(download, path)
      isSaved = artifactId !== null
      this.#record(download, { sizeBytes, failure: null, artifactId, keepFailure })
    }
    await this.onEnded(guid, path, isSaved)
    // If they were kept until the end of the session, they would fill the disk.
    for (const file of [path, `${path}${UNFINISHED}`]) {
      await rm(file, { force: true }).catch((error: unknown) =>
        this.#logger.warn({ err: error }, 'a downloaded file could not be removed'),
      )
    }
  }

  #save({ begin, reservation }: Download, path: string): Promise<SavedFile> {
    const { suggestedFilename: name, pageId } = begin!
    const contentType = lookup(name) || 'application/octet-stream'
    const open = () => openPlainFile(path)
    return this.#recorder.saveFile({ kind: 'DOWNLOAD', name, contentType, pageId, open, reservation })
  }

  /** A download that the browser has not reported has no known name or URL, and gets no entry. */
  #record(
    { begin }: Download,
    how: Pick<EntryData['DOWNLOAD'], 'sizeBytes' | 'failure' | 'artifactId' | 'keepFailure'>,
  ): void {
    if (begin) this.#recorder.record({ kind: 'DOWNLOAD', at: Date.now(), data: { ...begin, ...how } })
  }
}
