import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { lookup } from 'mime-types'
import type { Logger } from '../../logger.ts'
import { TEXT_LIMITS, type EntryData } from '../../ports/log-entry.ts'
import type { KeptFile, Recorder } from '../../ports/browser.ts'
import type { BrowserWire } from './browser-wire.ts'
import type { CdpEvents } from './cdp-events.ts'
import { cutText, cutUrl } from './cut-text.ts'
import { within } from './deadline.ts'
import type { Targets } from './targets.ts'

interface Download {
  begin: Pick<CdpEvents['Browser.downloadWillBegin'], 'guid' | 'url' | 'suggestedFilename'>
  pageId: string | null
}

/** The files are called by their guids, which come from the browser: no path, and nothing but a name. */
const PLAIN_NAME = /^[\w-]{1,100}$/

/** Downloads, each when it has ended and its file has been kept. */
export class DownloadRecorder {
  readonly #recorder: Recorder
  readonly #downloadsDir: string
  readonly #logger: Logger
  readonly #running = new Map<string, Download>()
  readonly #keeping = new Set<Promise<void>>()

  constructor(wire: BrowserWire, targets: Targets, recorder: Recorder, downloadsDir: string, logger: Logger) {
    this.#recorder = recorder
    this.#downloadsDir = downloadsDir
    this.#logger = logger
    wire.on('Browser.downloadWillBegin', (begin) => {
      if (!PLAIN_NAME.test(begin.guid)) {
        logger.error({ guid: begin.guid }, 'a download whose guid is no plain name is not looked at')
        return
      }
      const url = cutUrl(begin.url)
      const suggestedFilename = cutText(begin.suggestedFilename, TEXT_LIMITS.fileName)
      const pageId = targets.pageOfFrame(begin.frameId)?.pageId ?? null
      this.#running.set(begin.guid, { begin: { guid: begin.guid, url, suggestedFilename }, pageId })
    })
    wire.on('Browser.downloadProgress', ({ guid, state, receivedBytes }) => {
      const download = this.#running.get(guid)
      if (!download || state === 'inProgress') return
      this.#running.delete(guid)
      const keeping = this.#ended(download, state === 'completed' ? receivedBytes : null).finally(() =>
        this.#keeping.delete(keeping),
      )
      this.#keeping.add(keeping)
    })
  }

  /** Waits for files that are being kept; downloads that still run have failed then. */
  async finish(deadlineMs: number): Promise<void> {
    await within(Promise.all(this.#keeping), deadlineMs)
    for (const download of this.#running.values()) {
      this.#record(download, { sizeBytes: null, failure: 'session ended', artifactId: null, keepFailure: null })
    }
    this.#running.clear()
  }

  /** Never rejects. */
  async #ended(download: Download, sizeBytes: number | null): Promise<void> {
    // Playwright names the files by their guid.
    const path = join(this.#downloadsDir, download.begin.guid)
    if (sizeBytes === null) {
      this.#record(download, { sizeBytes, failure: 'canceled', artifactId: null, keepFailure: null })
    } else {
      const { artifactId, failure: keepFailure } = await this.#keep(download, path)
      this.#record(download, { sizeBytes, failure: null, artifactId, keepFailure })
    }
    // Left to the end of the session, they would fill the disk.
    await rm(path, { force: true }).catch((error: unknown) =>
      this.#logger.warn({ err: error }, 'a downloaded file could not be removed'),
    )
  }

  #keep({ begin, pageId }: Download, path: string): Promise<KeptFile> {
    const name = begin.suggestedFilename
    const contentType = lookup(name) || 'application/octet-stream'
    return this.#recorder.keepFile({ kind: 'DOWNLOAD', name, contentType, pageId, path })
  }

  #record(
    { begin, pageId }: Download,
    how: Pick<EntryData['DOWNLOAD'], 'sizeBytes' | 'failure' | 'artifactId' | 'keepFailure'>,
  ): void {
    const { url, suggestedFilename } = begin
    this.#recorder.record({ kind: 'DOWNLOAD', at: Date.now(), data: { url, suggestedFilename, pageId, ...how } })
  }
}
