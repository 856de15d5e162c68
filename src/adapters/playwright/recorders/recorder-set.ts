import type { Logger } from '../../../logger.ts'
import type { EventSink } from '../../../ports/browser/browser.ts'
import { DEFAULT_CAPTURE, type CaptureOptions } from '../../../ports/browser/capture.ts'
import type { CutFailure, EntryDraft } from '../../../ports/log/log-entry.ts'
import type { BrowserProcess } from '../launch/browser-process.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { AuthorizationRedaction } from '../captures/authorization-redaction.ts'
import { BodyRecorder, type BodyCapture } from './bodies/body-recorder.ts'
import { ClientLoadRecorder } from './network/client-load-recorder.ts'
import { ConnectionOutcomes } from '../network/connection-outcomes.ts'
import { ConsoleRecorder } from './console/console-recorder.ts'
import { DraftQueue } from './console/draft-queue.ts'
import { DialogRecorder } from './pages/dialog-recorder.ts'
import { DownloadRecorder } from './pages/download-recorder.ts'
import { IssueRecorder } from './issues/issue-recorder.ts'
import { NavigationGuard } from '../network/navigation-guard.ts'
import { NetworkRecorder } from './network/network-recorder.ts'
import { PageRecorder } from './pages/page-recorder.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import { EventSourceRecorder } from './messages/event-source-recorder.ts'
import { MessageBudget } from './messages/message-batch.ts'
import { WebSocketRecorder, type MessageCapture } from './messages/web-socket-recorder.ts'

/**
 * Milliseconds to commit and deliver an entry (measured: 10,000 lines a second take 0.8 of a core in addition to
 * reading them).
 */
export const ENTRY_MS = 0.1
/** The same for each message of an entry with several. */
const MESSAGE_MS = 0.005

/** The options of `capture` that concern the recorders. */
type Capture = BodyCapture & Pick<CaptureOptions, 'webSocketMessages' | 'consoleArguments'>

/** All recorders of one browser, once it is assigned to a session. */
export class RecorderSet {
  /** Gets document events before the recorders. */
  readonly guard: NavigationGuard
  /** Gets its events from clients themselves. */
  readonly clientLoads: ClientLoadRecorder
  readonly #connections: ConnectionOutcomes
  readonly #bodies: BodyRecorder
  readonly #network: NetworkRecorder
  readonly #webSockets: WebSocketRecorder
  readonly #eventSources: EventSourceRecorder
  readonly #downloads: DownloadRecorder
  readonly #targets: TargetRegistry
  readonly #drafts: DraftQueue
  #redaction: AuthorizationRedaction | null = null
  /** Time of each page's last entry; null: entries without a page. */
  readonly #receivedAt = new Map<string | null, number>()
  readonly #startedAt = Date.now()
  #stopped = false
  #lateSince: number | null = null

  /** With `keepPages`, existing pages belong to the session. */
  constructor(
    connection: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    keepPages: boolean,
    downloadsDir: string,
    logger: Logger,
    browser?: Pick<BrowserProcess, 'folders' | 'fileSizeLimit'>,
    connections = new ConnectionOutcomes(null),
    capture: Capture = { ...DEFAULT_CAPTURE, bodies: 'NONE' },
  ) {
    this.#drafts = new DraftQueue(
      (draft) => recorder.record(draft),
      (error) => recorder.failed(error),
    )
    connection.take()
    const gate: EventSink = {
      record: (given) => {
        const draft = this.#redacted(given)
        if (this.#stopped) return this.#noteLate(draft.kind, draft.at)
        this.#noteReceived(draft)
        connection.charge(costOf(draft))
        this.#drafts.push(draft)
      },
      requestStarted: (request) => {
        if (!this.#stopped) recorder.requestStarted(request)
      },
      requestProgressed: (progress) => {
        if (!this.#stopped) recorder.requestProgressed(progress)
      },
      missed: (kind, reason, requestId) => {
        if (this.#stopped) this.#noteLate(kind, Date.now())
        else {
          this.#drafts.releaseAll()
          recorder.missed(kind, reason, requestId)
        }
      },
      pagesChanged: () => {
        if (!this.#stopped) recorder.pagesChanged()
      },
      arrived: (pageId) => {
        if (!this.#stopped) recorder.arrived(pageId)
      },
      failed: (error) => recorder.failed(error),
      saveFile: (file) => recorder.saveFile(file),
      saveBody: (body) => recorder.saveBody(body),
      expectSecret: (text) => recorder.expectSecret(text),
      masked: (text) => recorder.masked(text),
      reserveSpace: () => recorder.reserveSpace(),
    }
    this.guard = new NavigationGuard(connection, targets, connections, logger)
    this.#connections = connections
    this.#bodies = new BodyRecorder(connection, targets, gate.saveBody, capture)
    const pages = new PageRecorder(connection, targets, gate)
    const messages: MessageCapture = {
      isWanted: capture.webSocketMessages,
      budget: new MessageBudget(),
      redact: (text) => recorder.masked(text),
    }
    // Before requests, which hear of the same events: a stream's messages are recorded before its request.
    const eventSources = new EventSourceRecorder(connection, targets, gate, messages, (id) => network.pendingOf(id))
    const network = new NetworkRecorder(connection, targets, gate, this.guard, connections, this.#bodies)
    this.clientLoads = new ClientLoadRecorder(gate, connections, () => network.numbers.next())
    const webSockets = new WebSocketRecorder(connection, targets, gate, connections, messages)
    const consoleLines = new ConsoleRecorder(
      connection,
      targets,
      gate,
      this.#drafts,
      connections,
      capture.consoleArguments,
    )
    const issues = new IssueRecorder(connection, targets, gate, this.#drafts, network.numbers)
    new DialogRecorder(connection, targets, gate)
    connection.onLineSkipped((sessionId) => consoleLines.leftOut(sessionId))
    connection.onSkipped((event) => {
      consoleLines.tooLarge(event)
      network.tooLarge(event)
      webSockets.tooLarge(event)
      eventSources.tooLarge(event)
    })
    this.#downloads = new DownloadRecorder(connection, targets, gate, downloadsDir, logger, browser)
    this.#downloads.refuse((url) => this.guard.refusedDownload(url))
    this.#network = network
    this.#webSockets = webSockets
    this.#eventSources = eventSources
    this.#targets = targets
    targets.assign(
      {
        pageOpened: (page) => pages.opened(page),
        pageClosed: (page) => pages.closed(page),
        pageCrashed: (page, reason) => {
          pages.crashed(page, reason)
          eventSources.pageCrashed(page)
          network.pageCrashed(page)
          webSockets.pageCrashed(page)
        },
        sessionEnded: (session) => {
          eventSources.sessionEnded(session)
          network.sessionEnded(session)
          webSockets.sessionEnded(session)
          consoleLines.sessionEnded(session)
          issues.sessionEnded(session)
        },
        pagesChanged: () => gate.pagesChanged(),
      },
      keepPages,
    )
  }

  /** Removes credentials from the recordings. Call before pages have any. */
  redact(redaction: AuthorizationRedaction): void {
    this.#redaction = redaction
    this.#network.expectCredentials(redaction)
  }

  #redacted(draft: EntryDraft): EntryDraft {
    if (this.#redaction === null) return draft
    if (draft.kind !== 'NETWORK_REQUEST' && draft.kind !== 'WEB_SOCKET_OPENED') return draft
    const { url, requestHeaders } = draft.data
    const data = { ...draft.data, requestHeaders: this.#redaction.headers(url, requestHeaders) }
    return { ...draft, data } as EntryDraft
  }

  /** At the end: records requests that are pending or wait for the rest of their headers, and open WebSockets. */
  flush(cutBy: CutFailure): void {
    this.#drafts.releaseAll()
    this.#eventSources.flush()
    this.flushRequests(cutBy)
    this.#webSockets.flush()
  }

  /** The same for requests alone. */
  flushRequests(cutBy: CutFailure): void {
    this.#connections.settle()
    this.clientLoads.flush(cutBy)
    this.#network.flush(cutBy)
  }

  /** A client has the browser send a pending request to this URL instead of its own. */
  rewritten(requestId: string, url: string): void {
    this.#network.rewritten(requestId, url)
    this.guard.rewritten(requestId, url)
  }

  /** Resolves when all lines that pages have logged so far are recorded. */
  settled(): Promise<void> {
    return this.#drafts.settled()
  }

  /**
   * After `flush`: waits for bodies that are still being fetched, and records their requests with those available by
   * then.
   */
  async finishBodies(deadlineMs: number): Promise<void> {
    if (!this.#stopped) await this.#bodies.finish(deadlineMs)
  }

  /** See DownloadRecorder.finish. */
  finishDownloads(deadlineMs: number): Promise<void> {
    return this.#downloads.finish(deadlineMs)
  }

  /** Limits each download, whatever quota is left. */
  limitDownloads(maxBytes: number): void {
    this.#downloads.limit(maxBytes)
  }

  /** See DownloadRecorder.onEnded. */
  onDownloadEnded(listener: (guid: string, path: string, isSaved: boolean) => Promise<void>): void {
    this.#downloads.onEnded = listener
  }

  /** See DownloadRecorder.breakOff. */
  breakOffDownloads(why: string): void {
    this.#downloads.breakOff(why)
  }

  /** Time of the pages' first event after `stop`; null: there was none. */
  get lateSince(): number | null {
    return this.#lateSince
  }

  /** Time until which all events of these pages are recorded; null: of all pages of the session. */
  receivedAt(pageIds: ReadonlySet<string | null> | null): number {
    const among = pageIds ?? new Set(this.#targets.pages().map(({ pageId }) => pageId))
    const times = [...among].map((pageId) => this.#receivedAt.get(pageId) ?? this.#startedAt)
    return times.length > 0 ? Math.min(...times) : Math.max(this.#startedAt, ...this.#receivedAt.values())
  }

  /** Whether recording has stopped. */
  get isStopped(): boolean {
    return this.#stopped
  }

  /** Stops recording. */
  stop(): void {
    this.#downloads.dispose()
    this.#drafts.releaseAll()
    this.#stopped = true
    this.#connections.settle()
    this.#network.dispose()
    this.#webSockets.dispose()
    this.#eventSources.dispose()
    this.#bodies.giveUp()
    this.#targets.dispose()
  }

  #noteReceived({ at, data }: EntryDraft): void {
    this.#receivedAt.set('pageId' in data ? data.pageId : null, at)
  }

  /**
   * Requests, sockets and pages end because the browser does; lines and navigations prove that a page was still active.
   */
  #noteLate(kind: EntryDraft['kind'], at: number): void {
    if (kind === 'CONSOLE_MESSAGE' || kind === 'NAVIGATION') this.#lateSince ??= at
  }
}

function costOf({ kind, data }: EntryDraft): number {
  const hasMessages = kind === 'WEB_SOCKET_MESSAGES' || kind === 'EVENT_SOURCE_MESSAGES'
  return ENTRY_MS + (hasMessages ? data.messages.length * MESSAGE_MS : 0)
}
