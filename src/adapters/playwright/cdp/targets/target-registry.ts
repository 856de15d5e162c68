import { SharedQuestion } from '../../../../async/shared-question.ts'
import { TEXT_LIMITS } from '../../../../ports/log/log-entry.ts'
import type { PageState } from '../../../../ports/browser/browser.ts'
import type { CdpConnection } from '../connection/cdp-connection.ts'
import type { TargetInfo } from '../protocol/cdp-events.ts'
import { cutText, cutUrl } from '../protocol/cut-text.ts'
import { CrashWatch, type CrashReason } from './crash-watch.ts'
import { networkConditions } from '../protocol/network-conditions.ts'
import { mayBeUrl, titleOf } from './untitled-page.ts'

/** A page from its opening to its closing. */
export interface TrackedPage {
  targetId: string
  /** Null for pages that belong to no session: those of a warm browser before it was assigned. */
  pageId: string | null
  /** The page that opened it, the one that opened that, and so on: a few at most, whether they are still open or not. */
  openerPageIds: readonly string[]
  browserContextId: string | null
  url: string
  title: string
  /** As last seen in the browser's list of targets. */
  listed: { url: string; title: string; asked: number }
}

/** A CDP session: the source of the events that arrive on it. */
export interface TrackedSession {
  sessionId: string
  /** For a page or frame also the id of its root frame. */
  targetId: string
  type: string
  page: TrackedPage | null
}

export interface TargetsObserver {
  pageOpened(page: TrackedPage): void
  pageClosed(page: TrackedPage): void
  pageCrashed(page: TrackedPage, reason: CrashReason | null): void
  sessionEnded(session: TrackedSession): void
  pagesChanged(): void
}

const REFRESH_MS = 1_000
/** Popups may open popups without end. */
const MAX_OPENERS = 10
/** How often an untitled page is checked again: each check is a command to the browser. */
const MAX_ASKED = 5

const WORKER_TYPES: ReadonlySet<string> = new Set(['worker', 'shared_worker', 'service_worker'])

export function isWorker(session: TrackedSession): boolean {
  return WORKER_TYPES.has(session.type)
}

/**
 * Playwright attaches to every target, and detaches from shared workers: we handle those instead. It must not receive
 * them, since it resumes them at once. Measured: a worker that runs before `Network.enable` has reached it never
 * reports the response of its own script, only the body; so status and sizes were missing from one in ten.
 */
const isOurs = (info: TargetInfo, parentId: string | undefined) =>
  info.type === 'shared_worker' && parentId === undefined

function openersOf(opener: TrackedPage | undefined): readonly string[] {
  return opener?.pageId ? [opener.pageId, ...opener.openerPageIds].slice(0, MAX_OPENERS) : []
}

/**
 * The targets of one browser, as reported by its connection: the page, frame or worker of each session, and the current
 * URL and title of each page. Runs from the start of the browser; it has an observer once the browser is assigned.
 */
export class TargetRegistry {
  readonly #connection: CdpConnection
  readonly #sessions = new Map<string, TrackedSession>()
  readonly #pages = new Map<string, TrackedPage>()
  readonly #frames = new Map<string, TrackedPage>()
  readonly #crashes: CrashWatch
  #observer: TargetsObserver | null = null
  /** The active page is last. */
  readonly #byFront = new Set<TrackedPage>()
  #frontListener: () => void = () => undefined
  #prepare: (sessionId: string, type: string) => void = () => undefined
  #pageCount = 0
  #hiding = 0
  readonly #hidden = new Set<TrackedPage>()
  #ownSessionId: string | null = null
  #browserContextId: string | null = null
  /** For future ones: Playwright does not know of them. */
  sharedWorkersAreOffline = false
  /** Applies the session's options to a worker without a page, before it runs. */
  prepareWorker: (sessionId: string) => void = () => undefined
  readonly #list = new SharedQuestion(() => this.#askForList())
  #refreshTimer: NodeJS.Timeout | undefined

  constructor(connection: CdpConnection) {
    this.#connection = connection
    connection.on('Target.attachedToTarget', (event, parent) =>
      this.#attached(event.targetInfo, event.sessionId, parent),
    )
    connection.withhold('Target.attachedToTarget', ({ targetInfo }, parent) => isOurs(targetInfo, parent))
    connection.on('Target.detachedFromTarget', (event) => this.#detached(event.sessionId))
    connection.on('Page.frameAttached', ({ frameId }, sessionId) => {
      const page = this.#tracked(sessionId)?.page
      if (page) this.#frames.set(frameId, page)
    })
    connection.on('Page.frameDetached', ({ frameId, reason }) => {
      // A swapped frame continues in another process.
      if (reason !== 'swap') this.#frames.delete(frameId)
    })
    connection.on('Target.targetInfoChanged', ({ targetInfo }) => void this.#infoChanged(targetInfo))
    connection.on('Page.lifecycleEvent', ({ name }) => {
      if (name === 'DOMContentLoaded' || name === 'load') void this.refresh()
    })
    connection.on('Page.navigatedWithinDocument', () => void this.refresh())
    connection.on('Inspector.targetCrashed', (_, sessionId) => {
      const session = this.source(sessionId)
      if (session?.type === 'page' && session.page) this.#crashes.crashed(session.page.targetId)
    })
    this.#crashes = new CrashWatch(connection, (targetId, reason) => {
      const page = this.#pages.get(targetId)
      if (page) this.#observer?.pageCrashed(page, reason)
    })
  }

  /** Opens a session of our own with the browser, which reports URLs without touching the page. */
  async start(): Promise<void> {
    const { sessionId } = await this.#connection.send('Target.attachToBrowserTarget')
    this.#ownSessionId = sessionId
    await this.#connection.send('Target.setDiscoverTargets', { discover: true, filter: [{ type: 'page' }] }, sessionId)
  }

  /**
   * Asks the browser (never the page, which may be unresponsive) for URLs and titles. Resolves once what it knew at the
   * time of the call is shown. Never rejects.
   */
  async refresh(): Promise<void> {
    if (this.#observer) await this.#list.ask()
  }

  async #askForList(): Promise<void> {
    const asked = this.#connection.send('Target.getTargets', { filter: [{ type: 'page' }] }, this.ownSessionId)
    // Without an answer the browser is gone, and its pages with it.
    const answer = await asked.catch(() => null)
    if (answer) await Promise.all(answer.targetInfos.map((info) => this.#infoChanged(info)))
  }

  dispose(): void {
    clearInterval(this.#refreshTimer)
  }

  get ownSessionId(): string {
    if (this.#ownSessionId === null) throw new Error('the browser is not started')
    return this.#ownSessionId
  }

  /** The context that was created for the session: that of its first page. Null before there is one. */
  get browserContextId(): string | null {
    return this.#browserContextId
  }

  /** Contexts of all pages: the session's, and those that clients created. */
  contextIds(): string[] {
    const ids = [...this.#pages.values()].map((page) => page.browserContextId)
    return [...new Set([this.#browserContextId, ...ids])].filter((id) => id !== null)
  }

  /** From now on pages get ids and are reported. With `keepPages`, existing ones become the session's first. */
  assign(observer: TargetsObserver, keepPages: boolean): void {
    this.#observer = observer
    // No event reports that a script changed document.title.
    this.#refreshTimer = setInterval(() => void this.refresh(), REFRESH_MS)
    this.#refreshTimer.unref()
    this.#connection.onClose(() => this.dispose())
    if (keepPages) for (const page of this.#pages.values()) this.#adopt(page)
  }

  /** The source of events on a CDP session; undefined for pages that do not belong to the assigned session. */
  source(sessionId: string | undefined): TrackedSession | undefined {
    const session = this.#tracked(sessionId)
    return session?.page?.pageId === null ? undefined : session
  }

  /** The page of a frame; the main frame has the id of the page's target. */
  pageOfFrame(frameId: string): TrackedPage | undefined {
    return this.#pages.get(frameId) ?? this.#frames.get(frameId)
  }

  /**
   * Until the returned function is called, pages that no script opened are not reported: Playwright opens some to read
   * and restore the storage of sites, and closes them. A page that still exists afterwards was not Playwright's.
   */
  hideNewPages(): () => void {
    this.#hiding += 1
    return () => {
      this.#hiding -= 1
      if (this.#hiding === 0) for (const page of this.#hidden) this.#adopt(page)
    }
  }

  /** Reports a page of the session that was opened while pages were hidden. */
  show(targetId: string): void {
    const page = this.#pages.get(targetId)
    if (page && this.#hidden.has(page)) this.#adopt(page)
  }

  /** Null: there is no such page (any more). */
  targetIdOf(pageId: string): string | null {
    return [...this.#pages.values()].find((page) => page.pageId === pageId)?.targetId ?? null
  }

  /** Of Playwright with the page. Null: there is no such page (any more). */
  sessionIdOf(pageId: string): string | null {
    for (const { type, page, sessionId } of this.#sessions.values()) {
      if (type === 'page' && page?.pageId === pageId) return sessionId
    }
    return null
  }

  pageIdOf(targetId: string): string | null {
    return this.#pages.get(targetId)?.pageId ?? null
  }

  /** Null: there is no such page (any more). */
  contextIdOf(targetId: string): string | null {
    return this.#pages.get(targetId)?.browserContextId ?? null
  }

  /** Whether the page is in the context that was created for the session; otherwise a client created one for it. */
  isOfSession(targetId: string): boolean {
    return this.#pages.get(targetId)?.browserContextId === this.#browserContextId
  }

  /** The page that was last opened or brought to front. */
  frontPageId(): string | null {
    return [...this.#byFront].at(-1)?.pageId ?? null
  }

  /** Records that a page was brought to front, which the browser does not report. */
  broughtToFront(targetId: string): void {
    const page = this.#pages.get(targetId)
    if (page && this.#byFront.delete(page)) this.#putInFront(page)
  }

  /** Calls back for each existing session, and for each new one before its target runs. There is one listener. */
  prepareSessions(prepare: (sessionId: string, type: string) => void): void {
    this.#prepare = prepare
    for (const { sessionId, type } of this.#sessions.values()) prepare(sessionId, type)
  }

  /** Calls back when a page was opened, closed or brought to front. There is one listener. */
  onFrontChange(listener: () => void): void {
    this.#frontListener = listener
  }

  pages(): PageState[] {
    const states: PageState[] = []
    for (const { pageId, url, title } of this.#pages.values()) if (pageId !== null) states.push({ pageId, url, title })
    return states
  }

  /** Sessions of all sources of events: pages, frames in processes of their own, workers. */
  sessionIds(): string[] {
    return [...this.#sessions.keys()].filter((sessionId) => this.source(sessionId))
  }

  /** Those that share the network of the session: its pages, their frames in processes of their own, shared workers. */
  connectedSessionIds(): string[] {
    const isConnected = ({ type, page }: TrackedSession) =>
      type === 'shared_worker' ||
      ((type === 'page' || type === 'iframe') && page?.browserContextId === this.#browserContextId)
    return [...this.#sessions.values()].filter(isConnected).map(({ sessionId }) => sessionId)
  }

  /** Those of all pages, whatever their context. */
  pageSessionIds(): string[] {
    return [...this.#sessions.values()].filter(({ type }) => type === 'page').map(({ sessionId }) => sessionId)
  }

  /**
   * Terminates the script that is running in a page, as if it had thrown; the page survives. Only for an unresponsive
   * page: if no script runs, the browser terminates the next one. Uses the existing session (measured: an unresponsive
   * page accepts no new one).
   */
  async endScript(pageId: string): Promise<void> {
    const sessionId = this.sessionIdOf(pageId)
    if (sessionId !== null) await this.#connection.send('Runtime.terminateExecution', {}, sessionId)
  }

  #tracked(sessionId: string | undefined): TrackedSession | undefined {
    return sessionId === undefined ? undefined : this.#sessions.get(sessionId)
  }

  #adopt(page: TrackedPage): void {
    this.#hidden.delete(page)
    page.pageId = `p${++this.#pageCount}`
    this.#browserContextId ??= page.browserContextId
    this.#observer?.pageOpened(page)
    this.#observer?.pagesChanged()
    this.#putInFront(page)
  }

  #putInFront(page: TrackedPage): void {
    this.#byFront.add(page)
    this.#frontListener()
  }

  #attached(info: TargetInfo, sessionId: string, parentId: string | undefined): void {
    if (info.type === 'browser') return
    const { targetId } = info
    const parent = this.#tracked(parentId)
    // A second session with a page is no second page: actions use one to identify a page.
    if (info.type === 'page' && this.#pages.has(info.targetId)) return
    this.#prepare(sessionId, info.type)
    if (parentId === undefined && info.type === 'page') {
      const page: TrackedPage = {
        targetId: info.targetId,
        pageId: null,
        openerPageIds: openersOf(info.openerId === undefined ? undefined : this.#pages.get(info.openerId)),
        browserContextId: info.browserContextId ?? null,
        url: cutUrl(info.url || 'about:blank'),
        title: '',
        listed: { url: '', title: '', asked: 0 },
      }
      this.#pages.set(info.targetId, page)
      this.#sessions.set(sessionId, { sessionId, targetId, type: info.type, page })
      this.#connection.notify('Audits.enable', {}, sessionId)
      if (this.#hiding > 0 && !info.openerId) this.#hidden.add(page)
      else if (this.#observer) this.#adopt(page)
      return
    }
    if (isOurs(info, parentId)) {
      this.#sessions.set(sessionId, { sessionId, targetId, type: info.type, page: null })
      this.#connection.notify('Runtime.enable', {}, sessionId)
      this.#connection.notify('Log.enable', {}, sessionId)
      this.#connection.notify('Network.enable', {}, sessionId)
      if (this.sharedWorkersAreOffline) {
        this.#connection.notify('Network.emulateNetworkConditions', networkConditions(true), sessionId)
      }
      this.prepareWorker(sessionId)
      this.#connection.release(sessionId)
      return
    }
    this.#sessions.set(sessionId, { sessionId, targetId, type: info.type, page: parent?.page ?? null })
    // Playwright enables messages of the browser for pages and frames only.
    if (WORKER_TYPES.has(info.type)) this.#connection.notify('Log.enable', {}, sessionId)
    if (info.type === 'service_worker') this.prepareWorker(sessionId)
    else if (info.type === 'iframe') this.#connection.notify('Audits.enable', {}, sessionId)
  }

  #detached(sessionId: string): void {
    const session = this.#sessions.get(sessionId)
    if (!session) return
    this.#sessions.delete(sessionId)
    this.#observer?.sessionEnded(session)
    const { page } = session
    if (session.type === 'page' && page) this.#crashes.gone(page.targetId)
    if (session.type !== 'page' || page === null || !this.#pages.delete(page.targetId)) return
    for (const [frameId, owner] of this.#frames) if (owner === page) this.#frames.delete(frameId)
    this.#hidden.delete(page)
    if (page.pageId === null) return
    this.#observer?.pageClosed(page)
    this.#observer?.pagesChanged()
    this.#byFront.delete(page)
    this.#frontListener()
  }

  /** Never rejects. */
  async #infoChanged(info: TargetInfo): Promise<void> {
    const page = this.#pages.get(info.targetId)
    if (!page) return
    const { url, title } = info
    const isListed = url === page.listed.url && title === page.listed.title
    // A page may set the very title under which it was listed while it had none.
    const isAskedAgain = isListed && page.title === '' && title !== '' && page.listed.asked < MAX_ASKED
    if (isListed && !isAskedAgain) return this.#show(page, cutUrl(url), page.title)
    page.listed = { url, title, asked: isListed ? page.listed.asked + 1 : 0 }
    const { listed } = page
    const known = mayBeUrl(title, url)
      ? titleOf(this.#connection, page.pageId === null ? null : this.sessionIdOf(page.pageId))
      : title
    // A page is where it is at once, whatever its title takes.
    this.#show(page, cutUrl(url), typeof known === 'string' ? cutText(known, TEXT_LIMITS.title) : '')
    if (typeof known === 'string') return
    const asked = await known
    if (page.listed === listed) this.#show(page, cutUrl(url), cutText(asked, TEXT_LIMITS.title))
  }

  #show(page: TrackedPage, url: string, title: string): void {
    if (url === page.url && title === page.title) return
    page.url = url
    page.title = title
    if (page.pageId !== null) this.#observer?.pagesChanged()
  }
}
