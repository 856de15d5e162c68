import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import type { NavigationGuard } from './navigation-guard.ts'

/** A document that the page was asked for while a navigation of a step was under way. */
interface Rival {
  requestId: string
  url: string
  isOfOwn: boolean
  /** It is shown, or none comes of it; shared with the rival it replaced, whose end nobody tells. */
  ended: PromiseWithResolvers<void>
  hasEnded: boolean
  /** Whether something takes its place is not told yet. */
  isCanceled: boolean
}

/** As the browser says of what something else replaced, or that became no document. */
export const CANCELED = 'net::ERR_ABORTED'

/** What became of a navigation: its document is shown, another was shown instead, or none came. */
export type Fate = { kind: 'ARRIVED' } | { kind: 'REPLACED' } | { kind: 'FAILED'; netError: string }

/**
 * One navigation of a step, told from those that the page begins: the browser may show what the page before it had asked
 * for while the step's own is under way, and refuse it, too.
 */
export class OwnNavigation implements Disposable {
  /** What the server answered; null where none did. */
  status: number | null = null
  #fate = Promise.withResolvers<Fate>()
  readonly #address: string
  readonly #stop: () => void
  #requestId: string | null = null
  /** The last that the page was asked for before its own was shown. */
  #rival: Rival | null = null
  #isReplaced = false
  #hasFailed = false
  #timesAsked = 0
  /** Pending while the page loads what it was asked for. */
  #loading: PromiseWithResolvers<void> | null = null
  /** The guard's count of documents when its own was shown. */
  #arrivedAt: number | null = null

  constructor(url: string, stop: () => void) {
    this.#address = addressOf(url)
    this.#stop = stop
  }

  /** Never rejects. It is pending as long as the browser tries. Another one when `timesAsked` grows after a failure. */
  get settled(): Promise<Fate> {
    return this.#fate.promise
  }

  /** How often the page was asked for this address: whoever asked again, the last one counts. */
  get timesAsked(): number {
    return this.#timesAsked
  }

  /** Whether the page went on to what the page before had asked for. */
  get isReplaced(): boolean {
    return this.#isReplaced
  }

  /**
   * Resolves when what the page was asked for instead is shown or has failed; null where nothing was. Never rejects. It is
   * pending as long as the browser tries.
   */
  get rivalEnded(): Promise<void> | null {
    return this.#rival?.ended.promise ?? null
  }

  /**
   * Resolves when it is known whether something takes the place of what was canceled: the browser tells the end of one
   * navigation before the beginning of the next, and a page that just loses one stops loading. Never rejects. It is
   * pending as long as the browser tries.
   */
  get decided(): Promise<void> {
    return this.#rival === null && this.#loading !== null ? this.#loading.promise : Promise.resolve()
  }

  /** Whether a document is this one, or was asked for by it or a page after it. `number`: see NavigationGuard.count. */
  hasCaused(requestId: string, number: number): boolean {
    if (requestId === this.#requestId) return true
    if (requestId === this.#rival?.requestId) return this.#rival.isOfOwn
    return this.#arrivedAt !== null && number > this.#arrivedAt
  }

  asked(requestId: string, url: string): void {
    if (this.#arrivedAt !== null) return
    // The page may have asked for the same itself, which the step's own replaces.
    if (addressOf(url) === this.#address) this.#askedOwn(requestId)
    else this.began(requestId, url)
  }

  /** Heard before the request of a document, and in order with the end of a navigation that it cancels. */
  began(requestId: string, url: string): void {
    if (this.#arrivedAt !== null || this.#requestId === null) return
    if (requestId === this.#requestId || requestId === this.#rival?.requestId) return
    const address = addressOf(url)
    if (address === this.#address) return this.#askedOwn(requestId)
    const ended = this.#rival && !this.#rival.hasEnded ? this.#rival.ended : Promise.withResolvers<void>()
    this.#rival = { requestId, url: address, isOfOwn: false, ended, hasEnded: false, isCanceled: false }
    this.#load()
  }

  /** Documents tell what they ask for in order with what is shown; their requests may be told before they are shown. */
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
    // What needs no request, such as about:blank, is known by its address alone.
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

  /** Something new is loaded: whoever waits for what became of the one before has it. */
  #load(): void {
    this.#loading?.resolve()
    this.#loading = Promise.withResolvers<void>()
  }
}

/** Follows the navigations of steps in one browser, of which each page has one at a time. */
export class NavigationWatch {
  readonly #targets: TargetRegistry
  readonly #watched = new Map<string, OwnNavigation>()

  constructor(wire: CdpConnection, targets: TargetRegistry, guard: Pick<NavigationGuard, 'count'>) {
    this.#targets = targets
    wire.on('Network.requestWillBeSent', ({ type, requestId, frameId, request, redirectResponse }) => {
      if (type === 'Document' && !redirectResponse) this.#of(frameId)?.asked(requestId, request.url)
    })
    wire.on('Page.frameStartedNavigating', ({ frameId, loaderId, url, navigationType }) => {
      // Of others there is no document to come.
      if (navigationType === 'differentDocument') this.#of(frameId)?.began(loaderId, url)
    })
    wire.on('Page.frameRequestedNavigation', ({ frameId, url }) => this.#of(frameId)?.wanted(url))
    wire.on('Network.responseReceived', ({ type, requestId, frameId, response }) => {
      if (type === 'Document') this.#of(frameId)?.answered(requestId, response.status)
    })
    wire.on('Network.loadingFailed', ({ requestId, errorText }) => {
      for (const own of this.#watched.values()) own.failed(requestId, errorText)
    })
    wire.on('Page.frameStoppedLoading', ({ frameId }) => this.#of(frameId)?.stoppedLoading())
    wire.on('Page.frameNavigated', ({ frame: { id, loaderId, url } }) => {
      this.#of(id)?.shown(loaderId, url, guard.count)
    })
  }

  /** Call it before the page is sent there. */
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

/** As requests have it: without what stays in the page. */
function addressOf(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed) return url
  parsed.hash = ''
  // Credentials are sent in a header.
  parsed.username = ''
  parsed.password = ''
  return parsed.href
}
