import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import type { NavigationGuard } from './navigation-guard.ts'

/** Another document that the page requested during a step's navigation. */
interface Rival {
  requestId: string
  url: string
  isOfOwn: boolean
  /** Settled when it is shown or has failed; shared with the rival it replaced, whose end is not reported. */
  ended: PromiseWithResolvers<void>
  hasEnded: boolean
  /** It was canceled, and the browser has not reported yet whether another one replaces it. */
  isCanceled: boolean
}

/** The browser's error for a document that was replaced by another, or became none. */
export const CANCELED = 'net::ERR_ABORTED'

/** Result of a navigation: its document is shown, another one was shown instead, or none arrived. */
export type Fate = { kind: 'ARRIVED' } | { kind: 'REPLACED' } | { kind: 'FAILED'; netError: string }

/**
 * One navigation of a step, distinguished from those that the page starts: during the step's navigation, the browser
 * may show a document requested by the previous page, and may block it, too.
 */
export class OwnNavigation implements Disposable {
  /** HTTP status code of the response; null if there was none. */
  status: number | null = null
  #fate = Promise.withResolvers<Fate>()
  readonly #address: string
  readonly #stop: () => void
  #requestId: string | null = null
  /** The page's last other request before its own document was shown. */
  #rival: Rival | null = null
  #isReplaced = false
  #hasFailed = false
  #timesAsked = 0
  /** Pending while the page loads the requested document. */
  #loading: PromiseWithResolvers<void> | null = null
  /** The guard's count of documents when its own was shown. */
  #arrivedAt: number | null = null

  constructor(url: string, stop: () => void) {
    this.#address = addressOf(url)
    this.#stop = stop
  }

  /**
   * Never rejects. Pending as long as the browser tries. Replaced by another promise when `timesAsked` grows after a
   * failure.
   */
  get settled(): Promise<Fate> {
    return this.#fate.promise
  }

  /** How often the page has requested this URL: the last request counts, whoever started it. */
  get timesAsked(): number {
    return this.#timesAsked
  }

  /** Whether the page went to a document requested by the previous page. */
  get isReplaced(): boolean {
    return this.#isReplaced
  }

  /**
   * Resolves when the other document is shown or has failed; null if there was none. Never rejects. Pending as long as
   * the browser tries.
   */
  get rivalEnded(): Promise<void> | null {
    return this.#rival?.ended.promise ?? null
  }

  /**
   * Resolves when it is known whether another document replaces the canceled one: the browser reports the end of one
   * navigation before the beginning of the next, and a page without a next one stops loading. Never rejects. Pending as
   * long as the browser tries.
   */
  get decided(): Promise<void> {
    return this.#rival === null && this.#loading !== null ? this.#loading.promise : Promise.resolve()
  }

  /** Whether a document is this one, or was requested by it or a later page. `number`: see NavigationGuard.count. */
  hasCaused(requestId: string, number: number): boolean {
    if (requestId === this.#requestId) return true
    if (requestId === this.#rival?.requestId) return this.#rival.isOfOwn
    return this.#arrivedAt !== null && number > this.#arrivedAt
  }

  asked(requestId: string, url: string): void {
    if (this.#arrivedAt !== null) return
    // The page may have requested the same URL itself; the step's request replaces that one.
    if (addressOf(url) === this.#address) this.#askedOwn(requestId)
    else this.began(requestId, url)
  }

  /** Reported before the request of a document, and in order with the end of a navigation that it cancels. */
  began(requestId: string, url: string): void {
    if (this.#arrivedAt !== null || this.#requestId === null) return
    if (requestId === this.#requestId || requestId === this.#rival?.requestId) return
    const address = addressOf(url)
    if (address === this.#address) return this.#askedOwn(requestId)
    const ended = this.#rival && !this.#rival.hasEnded ? this.#rival.ended : Promise.withResolvers<void>()
    this.#rival = { requestId, url: address, isOfOwn: false, ended, hasEnded: false, isCanceled: false }
    this.#load()
  }

  /**
   * Requests of navigations by documents are reported in order with shown documents; the network requests may come
   * earlier.
   */
  wanted(url: string): void {
    if (this.#arrivedAt !== null && this.#rival?.url === addressOf(url)) this.#rival.isOfOwn = true
  }

  answered(requestId: string, status: number): void {
    if (requestId === this.#requestId) this.status = status
  }

  failed(requestId: string, netError: string): void {
    if (requestId === this.#requestId) {
      this.#hasFailed = true
      this.#fate.resolve({ kind: 'FAILED', netError })
    } else if (requestId === this.#rival?.requestId) {
      this.#rival.isCanceled = netError === CANCELED && this.#loading !== null
      if (!this.#rival.isCanceled) this.#endRival()
    }
  }

  stoppedLoading(): void {
    this.#loading?.resolve()
    this.#loading = null
    if (this.#rival?.isCanceled) this.#endRival()
  }

  shown(loaderId: string, url: string, count: number): void {
    // A document without a network request, such as about:blank, is recognized by its URL alone.
    const isOwn = this.#requestId === null ? addressOf(url) === this.#address : loaderId === this.#requestId
    if (isOwn) {
      this.#arrivedAt ??= count
      this.#fate.resolve({ kind: 'ARRIVED' })
    } else if (loaderId === this.#rival?.requestId && !this.#rival.isOfOwn) {
      this.#isReplaced = true
      this.#endRival()
      this.#fate.resolve({ kind: 'REPLACED' })
    }
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  #askedOwn(requestId: string): void {
    if (requestId === this.#requestId) return
    this.#requestId = requestId
    this.#timesAsked += 1
    this.status = null
    this.#endRival()
    this.#rival = null
    this.#load()
    if (!this.#hasFailed) return
    this.#hasFailed = false
    this.#fate = Promise.withResolvers<Fate>()
  }

  #endRival(): void {
    if (this.#rival === null) return
    this.#rival.hasEnded = true
    this.#rival.ended.resolve()
  }

  /** A new document is loading: waiters for the previous one already have its result. */
  #load(): void {
    this.#loading?.resolve()
    this.#loading = Promise.withResolvers<void>()
  }
}

/** Follows the navigations of steps in one browser; each page has one at a time. */
export class NavigationWatch {
  readonly #targets: TargetRegistry
  readonly #watched = new Map<string, OwnNavigation>()

  constructor(connection: CdpConnection, targets: TargetRegistry, guard: Pick<NavigationGuard, 'count'>) {
    this.#targets = targets
    connection.on('Network.requestWillBeSent', ({ type, requestId, frameId, request, redirectResponse }) => {
      if (type === 'Document' && !redirectResponse) this.#of(frameId)?.asked(requestId, request.url)
    })
    connection.on('Page.frameStartedNavigating', ({ frameId, loaderId, url, navigationType }) => {
      // Others load no document.
      if (navigationType === 'differentDocument') this.#of(frameId)?.began(loaderId, url)
    })
    connection.on('Page.frameRequestedNavigation', ({ frameId, url }) => this.#of(frameId)?.wanted(url))
    connection.on('Network.responseReceived', ({ type, requestId, frameId, response }) => {
      if (type === 'Document') this.#of(frameId)?.answered(requestId, response.status)
    })
    connection.on('Network.loadingFailed', ({ requestId, errorText }) => {
      for (const own of this.#watched.values()) own.failed(requestId, errorText)
    })
    connection.on('Page.frameStoppedLoading', ({ frameId }) => this.#of(frameId)?.stoppedLoading())
    connection.on('Page.frameNavigated', ({ frame: { id, loaderId, url } }) => {
      this.#of(id)?.shown(loaderId, url, guard.count)
    })
  }

  /** Call it before the page starts to navigate there. */
  follow(pageId: string, url: string): OwnNavigation {
    const own: OwnNavigation = new OwnNavigation(url, () => {
      if (this.#watched.get(pageId) === own) this.#watched.delete(pageId)
    })
    this.#watched.set(pageId, own)
    return own
  }

  /** The main frame of a page has the id of its target. */
  #of(frameId: string | undefined): OwnNavigation | undefined {
    if (this.#watched.size === 0 || frameId === undefined) return undefined
    const pageId = this.#targets.pageIdOf(frameId)
    return pageId === null ? undefined : this.#watched.get(pageId)
  }
}

/** As in requests: without the fragment. */
function addressOf(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed) return url
  parsed.hash = ''
  // Credentials are sent in a header.
  parsed.username = ''
  parsed.password = ''
  return parsed.href
}
