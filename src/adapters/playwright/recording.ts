import type { Logger } from '../../logger.ts'
import type { Recorder } from '../../ports/browser.ts'
import type { BrowserWire } from './browser-wire.ts'
import { ConsoleRecorder } from './console-recorder.ts'
import { DialogRecorder } from './dialog-recorder.ts'
import { DownloadRecorder } from './download-recorder.ts'
import { NetworkRecorder } from './network-recorder.ts'
import type { Recordings } from './recordings/recordings.ts'
import { PageRecorder } from './page-recorder.ts'
import type { Targets } from './targets.ts'
import { WebSocketRecorder } from './web-socket-recorder.ts'

/** All recorders of one browser, from its assignment to a session on. */
export class Recording {
  readonly #network: NetworkRecorder
  readonly #webSockets: WebSocketRecorder
  readonly #downloads: DownloadRecorder
  readonly #targets: Targets
  #stopped = false

  /** With `keepPages`, the pages that are there already are the session's. */
  constructor(
    wire: BrowserWire,
    targets: Targets,
    recorder: Recorder,
    keepPages: boolean,
    downloadsDir: string,
    logger: Logger,
    recordings?: Pick<Recordings, 'note'>,
  ) {
    const gate: Recorder = {
      record: (draft) => {
        if (this.#stopped) return
        recorder.record(draft)
        recordings?.note(draft)
      },
      requestStarted: (request) => {
        if (!this.#stopped) recorder.requestStarted(request)
      },
      tooLarge: (kind, requestId) => {
        if (!this.#stopped) recorder.tooLarge(kind, requestId)
      },
      pagesChanged: () => {
        if (!this.#stopped) recorder.pagesChanged()
      },
      keepFile: (file) => recorder.keepFile(file),
      openRoom: () => recorder.openRoom(),
    }
    const pages = new PageRecorder(wire, targets, gate)
    const network = new NetworkRecorder(wire, targets, gate)
    const webSockets = new WebSocketRecorder(wire, targets, gate)
    const consoleLines = new ConsoleRecorder(wire, targets, gate)
    new DialogRecorder(wire, targets, gate)
    wire.onSkipped((event) => {
      consoleLines.tooLarge(event)
      network.tooLarge(event)
      webSockets.tooLarge(event)
    })
    this.#downloads = new DownloadRecorder(wire, targets, gate, downloadsDir, logger)
    this.#network = network
    this.#webSockets = webSockets
    this.#targets = targets
    targets.assign(
      {
        pageOpened: (page) => pages.opened(page),
        pageClosed: (page) => pages.closed(page),
        pageCrashed: (page) => {
          pages.crashed(page)
          network.pageCrashed(page)
        },
        sessionEnded: (session) => {
          network.sessionEnded(session)
          webSockets.sessionEnded(session)
          consoleLines.sessionEnded(session)
        },
        pagesChanged: () => gate.pagesChanged(),
      },
      keepPages,
    )
  }

  /** At the end: records the requests that still wait for the rest of their headers, and the WebSockets still open. */
  flush(): void {
    this.#network.flush()
    this.#webSockets.flush()
  }

  /** See DownloadRecorder.finish. */
  finishDownloads(deadlineMs: number): Promise<void> {
    return this.#downloads.finish(deadlineMs)
  }

  /** Bounds each download, whatever the quota leaves. */
  limitDownloads(maxBytes: number): void {
    this.#downloads.limit(maxBytes)
  }

  /** See DownloadRecorder.breakOff. */
  breakOffDownloads(why: string): void {
    this.#downloads.breakOff(why)
  }

  /** Nothing is recorded from now on. */
  stop(): void {
    this.#downloads.dispose()
    this.#stopped = true
    this.#network.dispose()
    this.#targets.dispose()
  }
}
