import type { Logger } from '../../../logger.ts'
import { neverOpened, refusalBy } from '../../../egress/refusal.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import { blockedBy, type ConnectionOutcomes } from './connection-outcomes.ts'
import { cutUrl } from '../cdp/protocol/cut-text.ts'
import { Deadline } from '../../../async/deadline.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'

/** How long a caller waits for a page to leave a blocked document. */
const LEAVING_MS = 5_000
/** How long after its opening a page's first document is reported as blocked. */
const OPENING_MS = 30_000
/** Most loading documents, and pages, that are remembered. */
const MAX_REMEMBERED = 1_000

/** Why a document did not arrive. Both null: the browser's error applies. */
export interface Refusal {
  /** A sentence with the rule that blocked it. */
  blocked: string | null
  /** The browser's error without a proxy, such as net::ERR_CONNECTION_REFUSED. */
  netError: string | null
}

interface LostDocument {
  pageId: string
  requestId: string
  /** See `NavigationGuard.count`. */
  number: number
  /** Never rejects. Resolves only after the page has left the document. */
  refusal: Promise<Refusal>
}

interface Loading {
  url: string
  pageId: string
  targetId: string
  number: number
  /** False: of a frame within the page, which fails no action. */
  isMain: boolean
  startedAt: number
  /** The rule that blocked it. */
  rule: string | null
}

/** A navigation that knows which documents it causes. */
interface Causes {
  hasCaused(requestId: string, number: number): boolean
}

const ARRIVED: Refusal = { blocked: null, netError: null }

/**
 * Keeps pages off cloud metadata services and link-local addresses, whether the API, a client, a redirect or the page
 * itself leads them there. It checks each document by its requested URL and by the remote address, since a name may
 * resolve to such an address, and sends the page or frame to about:blank instead. In a browser without a proxy this is
 * the only protection; behind one the connection is rejected earlier, and this class finds the reason.
 */
export class NavigationGuard {
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  readonly #connections: ConnectionOutcomes
  readonly #logger: Logger
  /** By the browser's id of the request. */
  readonly #loading = new Map<string, Loading>()
  /** By the browser's id of the request, the latest at the end. */
  readonly #lost = new Map<string, LostDocument>()
  /** Blank documents shown by frames, by the browser's id of their loader, and those that are awaited. */
  readonly #arrived = new Map<string, true>()
  readonly #awaited = new Map<string, () => void>()
  /** Targets of pages whose first document has arrived or is lost, and those that are awaited. */
  readonly #opened = new Map<string, true>()
  readonly #opening = new Map<string, () => void>()
  /** With the rule. */
  readonly #refusedUrls = new Map<string, string>()
  #count = 0

  constructor(connection: CdpConnection, targets: TargetRegistry, connections: ConnectionOutcomes, logger: Logger) {
    this.#connection = connection
    this.#targets = targets
    this.#connections = connections
    this.#logger = logger
    connection.onClose(() => [...this.#awaited.values(), ...this.#opening.values()].forEach((settle) => settle()))
    connection.on('Target.detachedFromTarget', () => {
      for (const [targetId, settle] of this.#opening) if (targets.pageIdOf(targetId) === null) settle()
    })
    connection.on('Network.requestWillBeSent', (event, sessionId) => {
      const { type, requestId, frameId, request, redirectResponse: hop, wallTime } = event
      if (type !== 'Document') return
      if (hop) this.#judge(requestId, hop.url, hop.remoteIPAddress, frameId, sessionId)
      const page = this.#targets.source(sessionId)?.page
      if (page?.pageId == null || this.ruleOf(requestId) !== null) return
      const { pageId, targetId } = page
      this.#loading.delete(requestId)
      this.#loading.set(requestId, {
        url: cutUrl(request.url),
        pageId,
        targetId,
        number: ++this.#count,
        isMain: frameId === targetId,
        startedAt: wallTime * 1000,
        rule: null,
      })
      dropOldest(this.#loading)
      this.#judge(requestId, request.url, null, frameId, sessionId)
    })
    connection.on('Network.responseReceived', ({ type, requestId, frameId, response }, sessionId) => {
      if (type !== 'Document') return
      this.#judge(requestId, response.url, response.remoteIPAddress, frameId, sessionId)
      this.#settled(requestId)
    })
    connection.on('Page.frameNavigated', ({ frame: { loaderId, url } }) => {
      this.#awaited.get(loaderId)?.()
      if (url !== 'about:blank') return
      this.#arrived.set(loaderId, true)
      dropOldest(this.#arrived)
    })
    connection.on('Network.loadingFailed', ({ requestId, errorText }) => {
      this.#failed(requestId, errorText)
      this.#settled(requestId)
    })
  }

  /**
   * Why downloads from a URL are blocked: when a document becomes a file, leaving it is too late. Null: they are
   * allowed.
   */
  refusedDownload(url: string): { failure: `BLOCKED (${string})`; why: string } | null {
    const rule = ruleOfUrl(url) ?? this.#refusedUrls.get(cutUrl(url))
    if (rule === undefined || rule === null) return null
    return { failure: blockedBy(rule), why: `${cutUrl(url)} ${refusalBy(rule, this.#connections.mode)}.` }
  }

  /** The rule that blocked a request; null: it was not blocked. */
  ruleOf(requestId: string): string | null {
    return this.#loading.get(requestId)?.rule ?? null
  }

  /** Number of documents requested so far. Pass it to `refusedSince`: later documents have higher numbers. */
  get count(): number {
    return this.#count
  }

  /** Whether a document requested since then was lost, so that `refusedSince` has a result. */
  hasLostSince(pageId: string | null, count: number): boolean {
    return this.#lastLost(pageId, count) !== undefined
  }

  /**
   * Why the page's last document requested since then did not arrive; resolves when the page has left it. With `own`,
   * considers only documents caused by that navigation.
   */
  async refusedSince(pageId: string | null, count: number, own: Causes | null = null): Promise<Refusal> {
    const lost = this.#lastLost(pageId, count, own)
    return (lost && (await Deadline.result(lost.refusal, LEAVING_MS))) ?? ARRIVED
  }

  /** Why the first document of a page that was opened since then did not arrive. Null: it did, or there is none. */
  async refusedOpening(targetId: string, count: number): Promise<string | null> {
    const pageId = this.#targets.pageIdOf(targetId)
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#opened.has(targetId)) resolve()
    else this.#opening.set(targetId, resolve)
    await Deadline.isMet(promise, OPENING_MS)
    this.#opening.delete(targetId)
    return (await this.refusedSince(pageId ?? this.#targets.pageIdOf(targetId), count)).blocked
  }

  #settled(requestId: string): void {
    const loading = this.#loading.get(requestId)
    if (!loading?.isMain) return
    this.#opened.set(loading.targetId, true)
    dropOldest(this.#opened)
    this.#opening.get(loading.targetId)?.()
  }

  #lastLost(pageId: string | null, count: number, own: Causes | null = null): LostDocument | undefined {
    if (pageId === null) return undefined
    return [...this.#lost.values()].findLast(
      (lost) =>
        lost.pageId === pageId && lost.number > count && (own === null || own.hasCaused(lost.requestId, lost.number)),
    )
  }

  #judge(
    requestId: string,
    url: string,
    address: string | undefined | null,
    frameId: string | undefined,
    sessionId: string | undefined,
  ): void {
    const loading = this.#loading.get(requestId)
    if (!loading || loading.rule !== null) return
    const rule = (address ? neverOpened(address) : null) ?? ruleOfUrl(url)
    if (rule === null) return
    loading.rule = rule
    this.#refusedUrls.set(cutUrl(url), rule)
    dropOldest(this.#refusedUrls)
    const { pageId, isMain } = loading
    const shown = cutUrl(url)
    this.#logger.info({ pageId, url: shown, rule }, 'a page navigated to a blocked address; leaving it')
    const refusal = this.#leave(frameId, sessionId).then(() => this.#refusal(shown, rule))
    if (isMain) this.#lose(requestId, loading, refusal)
  }

  #failed(requestId: string, errorText: string): void {
    const loading = this.#loading.get(requestId)
    if (!loading?.isMain || loading.rule !== null || !this.#connections.isHidden(errorText)) return
    const { url, startedAt } = loading
    const refusal = this.#connections.failureOf(errorText, url, startedAt).then((failure) => {
      if (failure?.code === 'BLOCKED') return this.#refusal(url, failure.rule ?? 'blocked address')
      return { blocked: null, netError: failure?.netError ?? null }
    })
    this.#lose(requestId, loading, refusal)
  }

  #refusal(url: string, rule: string): Refusal {
    return { blocked: `It led to ${url}, which ${refusalBy(rule, this.#connections.mode)}.`, netError: null }
  }

  #lose(requestId: string, { pageId, number }: Loading, refusal: Promise<Refusal>): void {
    this.#lost.delete(requestId)
    this.#lost.set(requestId, { pageId, requestId, number, refusal })
    dropOldest(this.#lost)
  }

  /** Resolves when a frame shows the document. */
  #arrival(loaderId: string): Promise<void> {
    if (this.#arrived.has(loaderId)) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#awaited.set(loaderId, resolve)
    dropOldest(this.#awaited)
    return promise.finally(() => this.#awaited.delete(loaderId))
  }

  async #leave(frameId: string | undefined, sessionId: string | undefined): Promise<void> {
    const blank = { url: 'about:blank', ...(frameId === undefined ? {} : { frameId }) }
    try {
      const { loaderId } = await this.#connection.send('Page.navigate', blank, sessionId)
      // The response may come before the blank page is shown, and an action then would still affect the other.
      if (loaderId !== undefined) await this.#arrival(loaderId)
    } catch (error) {
      this.#logger.debug({ err: error }, 'a page or frame was gone before it could leave')
    }
  }
}

function ruleOfUrl(url: string): string | null {
  const parsed = /^https?:/i.test(url) ? URL.parse(url) : null
  return parsed && neverOpened(parsed.hostname)
}

function dropOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (oldest !== undefined && map.size > MAX_REMEMBERED) map.delete(oldest)
}
