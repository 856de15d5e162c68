import type { Logger } from '../../../logger.ts'
import type { EventSink } from '../../../ports/browser.ts'
import type { EntryDraft } from '../../../ports/log-entry.ts'
import type { BrowserProcess } from '../launch/browser-process.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { AuthorizationRedaction } from '../captures/authorization-redaction.ts'
import { BodyRecorder, type BodyCapture } from './body-recorder.ts'
import { ConnectionOutcomes } from '../network/connection-outcomes.ts'
import { ConsoleRecorder } from './console-recorder.ts'
import { DialogRecorder } from './dialog-recorder.ts'
import { DownloadRecorder } from './download-recorder.ts'
import { NavigationGuard } from '../network/navigation-guard.ts'
import { NetworkRecorder } from './network-recorder.ts'
import type { CaptureSet } from '../captures/capture-set.ts'
import { PageRecorder } from './page-recorder.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import { WebSocketRecorder } from './web-socket-recorder.ts'

/** What it costs to commit an entry and to deliver it, in milliseconds (measured: 10,000 lines a second take 0.8 of a core beyond reading them). */
export const ENTRY_MS = 0.1

/** All recorders of one browser, from its assignment to a session on. */
export class RecorderSet {
  /** Hears of documents before those who record them. */
  readonly guard: NavigationGuard
  readonly #connections: ConnectionOutcomes
  readonly #bodies: BodyRecorder
  readonly #network: NetworkRecorder
  readonly #webSockets: WebSocketRecorder
  readonly #downloads: DownloadRecorder
  readonly #targets: TargetRegistry
  #redaction: AuthorizationRedaction | null = null
  /** When each page was heard last; null: who belongs to no page. */
  readonly #heardAt = new Map<string | null, number>()
  readonly #startedAt = Date.now()
  #stopped = false
  #lateSince: number | null = null

  /** With `keepPages`, the pages that are there already are the session's. */
  constructor(
    wire: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    keepPages: boolean,
    downloadsDir: string,
    logger: Logger,
    recordings?: Pick<CaptureSet, 'note'>,
    browser?: Pick<BrowserProcess, 'folders' | 'fileSizeLimit'>,
    connections = new ConnectionOutcomes(null),
    capture: BodyCapture = { bodies: 'NONE', maxBodyBytes: 0 },
  ) {
    const gate: EventSink = {
      record: (given) => {
        const draft = this.#redacted(given)
        if (this.#stopped) return this.#noteLate(draft.kind, draft.at)
        this.#noteHeard(draft)
        wire.charge(ENTRY_MS)
        recorder.record(draft)
        recordings?.note(draft)
      },
      requestStarted: (request) => {
        if (!this.#stopped) recorder.requestStarted(request)
      },
      tooLarge: (kind, requestId) => {
        if (this.#stopped) this.#noteLate(kind, Date.now())
        else recorder.tooLarge(kind, requestId)
      },
      pagesChanged: () => {
        if (!this.#stopped) recorder.pagesChanged()
      },
      arrived: (pageId) => {
        if (!this.#stopped) recorder.arrived(pageId)
      },
      failed: (error) => recorder.failed(error),
      keepFile: (file) => recorder.keepFile(file),
      keepBody: (body) => recorder.keepBody(body),
      openRoom: () => recorder.openRoom(),
    }
    this.guard = new NavigationGuard(wire, targets, connections, logger)
    this.#connections = connections
    this.#bodies = new BodyRecorder(wire, targets, gate.keepBody, capture)
    const pages = new PageRecorder(wire, targets, gate)
    const network = new NetworkRecorder(wire, targets, gate, this.guard, connections, this.#bodies)
    const webSockets = new WebSocketRecorder(wire, targets, gate, connections)
    const consoleLines = new ConsoleRecorder(wire, targets, gate, connections)
    new DialogRecorder(wire, targets, gate)
    wire.onSkipped((event) => {
      consoleLines.tooLarge(event)
      network.tooLarge(event)
      webSockets.tooLarge(event)
    })
    this.#downloads = new DownloadRecorder(wire, targets, gate, downloadsDir, logger, browser)
    this.#downloads.refuse((url) => this.guard.refusedDownload(url))
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

  /** Takes credentials out of what is recorded. Call before pages have any. */
  redact(redaction: AuthorizationRedaction): void {
    this.#redaction = redaction
    this.#network.expectCredentials(redaction)
  }

  #redacted(draft: EntryDraft): EntryDraft {
    if (this.#redaction === null || draft.kind !== 'NETWORK_REQUEST') return draft
    const { url, requestHeaders } = draft.data
    return { ...draft, data: { ...draft.data, requestHeaders: this.#redaction.headers(url, requestHeaders) } }
  }

  /** At the end: records the requests that still wait for the rest of their headers, and the WebSockets still open. */
  flush(): void {
    this.#connections.settle()
    this.#network.flush()
    this.#webSockets.flush()
  }

  /** After `flush`: waits for bodies that are still fetched, and records their requests with what is there by then. */
  async finishBodies(deadlineMs: number): Promise<void> {
    if (!this.#stopped) await this.#bodies.finish(deadlineMs)
  }

  /** See DownloadRecorder.finish. */
  finishDownloads(deadlineMs: number): Promise<void> {
    return this.#downloads.finish(deadlineMs)
  }

  /** Bounds each download, whatever the quota leaves. */
  limitDownloads(maxBytes: number): void {
    this.#downloads.limit(maxBytes)
  }

  /** See DownloadRecorder.onEnded. */
  onDownloadEnded(listener: (guid: string, path: string, isKept: boolean) => Promise<void>): void {
    this.#downloads.onEnded = listener
  }

  /** See DownloadRecorder.breakOff. */
  breakOffDownloads(why: string): void {
    this.#downloads.breakOff(why)
  }

  /** When pages said something after `stop`, for the first time; null: they did not. */
  get lateSince(): number | null {
    return this.#lateSince
  }

  /** Until when all that these pages said is recorded; null: all of the session. */
  heardAt(pageIds: ReadonlySet<string | null> | null): number {
    const among = pageIds ?? new Set(this.#targets.pages().map(({ pageId }) => pageId))
    const times = [...among].map((pageId) => this.#heardAt.get(pageId) ?? this.#startedAt)
    return times.length > 0 ? Math.min(...times) : Math.max(this.#startedAt, ...this.#heardAt.values())
  }

  /** Whether nothing is recorded any more. */
  get isStopped(): boolean {
    return this.#stopped
  }

  /** Nothing is recorded from now on. */
  stop(): void {
    this.#downloads.dispose()
    this.#stopped = true
    this.#connections.settle()
    this.#network.dispose()
    this.#bodies.giveUp()
    this.#targets.dispose()
  }

  #noteHeard({ at, data }: EntryDraft): void {
    this.#heardAt.set('pageId' in data ? data.pageId : null, at)
  }

  /** Requests, sockets and pages end because the browser does; lines and navigations show that a page was still active. */
  #noteLate(kind: EntryDraft['kind'], at: number): void {
    if (kind === 'CONSOLE_MESSAGE' || kind === 'NAVIGATION') this.#lateSince ??= at
  }
}
