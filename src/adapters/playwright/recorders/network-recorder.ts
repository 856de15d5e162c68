import type { EntryBodies } from '../../../contract/entries/body.ts'
import type { EventSink } from '../../../ports/browser.ts'
import type { BodyRecorder } from './body-recorder.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { CdpEvents, CdpResponse } from '../cdp/protocol/cdp-events.ts'
import {
  beginExchange,
  boundedHeaders,
  boundedResponse,
  failureOf,
  lacksOnlyBody,
  resourceTypeOf,
  toNetworkEntry,
  unauthorized,
  withAuthorization,
  type Exchange,
  type Outcome,
  type WireHeaders,
} from './network-exchange.ts'
import { blockedBy, type ConnectionOutcomes } from '../network/connection-outcomes.ts'
import type { AuthorizationRedaction } from '../captures/authorization-redaction.ts'
import type { NavigationGuard } from '../network/navigation-guard.ts'
import { isOfDataUrl, requestIdOf, type TooLarge } from '../cdp/pipe/oversized-message.ts'
import type { TrackedPage, TargetRegistry, TrackedSession } from '../cdp/targets/target-registry.ts'

/** How long a request that has ended waits for its headers, which the network process tells by a way of their own. */
const LATE_HEADERS_MS = 500
/** How long a request of a document that was left may still be told its end, before it counts as aborted. */
const LEFT_DOCUMENT_MS = 2_000
/** Chains remembered at most, for headers that come before their request or after its end. */
const MAX_CHAINS = 2_000

/** What the network process tells of all hops of one request: in order, without saying of which hop. */
interface Chain {
  sent: WireHeaders['sent'][]
  received: WireHeaders['received'][]
  /** Hops so far for which extra info was promised. */
  promised: number
}

interface Waiting {
  exchange: Exchange
  outcome: Outcome
  endedAt: number
  chain: Chain
  /** Null: they are being fetched. */
  bodies: EntryBodies | null
  /** Headers that are not there by now will not be waited for. */
  isLate: boolean
  timer: NodeJS.Timeout
}

/**
 * Every request of the browser: of pages, frames, workers, each hop of a redirect, preflights too. Headers as they went
 * over the wire (cookies included) come as "extra info" from another process, before or after the rest; so a request
 * that has ended waits for them, but never for long; likewise for its bodies.
 */
export class NetworkRecorder {
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #guard: Pick<NavigationGuard, 'ruleOf'>
  readonly #connections: ConnectionOutcomes
  readonly #bodies: BodyRecorder
  readonly #inFlight = new Map<string, Exchange>()
  readonly #chains = new Map<string, Chain>()
  /** Requests that are counted instead of recorded, with the session that told of them. */
  readonly #tooLarge = new Map<string, string>()
  readonly #waiting = new Set<Waiting>()
  readonly #leftDocumentTimers = new Set<NodeJS.Timeout>()
  /** Of requests that Playwright continues, by the ids by which they are. */
  readonly #fetches = new Map<string, string>()
  #credentials: Pick<AuthorizationRedaction, 'areFor'> | null = null
  #count = 0

  constructor(
    wire: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    guard: Pick<NavigationGuard, 'ruleOf'>,
    connections: ConnectionOutcomes,
    bodies: BodyRecorder,
  ) {
    this.#targets = targets
    this.#recorder = recorder
    this.#guard = guard
    this.#connections = connections
    this.#bodies = bodies
    wire.on('Network.requestWillBeSent', (event, sessionId) => this.#willBeSent(event, sessionId))
    wire.on('Network.requestWillBeSentExtraInfo', ({ requestId, headers }) =>
      this.#chain(requestId).sent.push(boundedHeaders(headers)),
    )
    wire.on('Network.responseReceivedExtraInfo', ({ requestId, headers, statusCode }) =>
      this.#receivedExtraInfo(requestId, { headers: boundedHeaders(headers), statusCode }),
    )
    wire.on('Network.requestServedFromCache', ({ requestId }) => {
      const exchange = this.#inFlight.get(requestId)
      if (exchange) exchange.servedFromCache = true
    })
    wire.on('Network.responseReceived', ({ requestId, response, hasExtraInfo, type, timestamp }) => {
      const exchange = this.#inFlight.get(requestId)
      if (!exchange) return
      if (exchange.resourceType === 'OTHER') exchange.resourceType = resourceTypeOf(type)
      exchange.lacksPeer = !this.#connections.amend(response, exchange.startedAt, exchange.startTimestamp)
      this.#answered(exchange, requestId, response, hasExtraInfo)
      this.#endBlocked(requestId, timestamp)
    })
    wire.on('Network.dataReceived', ({ requestId, dataLength }) => {
      const exchange = this.#inFlight.get(requestId)
      if (exchange) exchange.decodedBytes += dataLength
    })
    wire.on('Network.loadingFinished', ({ requestId, timestamp, encodedDataLength }) => {
      this.#tooLarge.delete(requestId)
      this.#end(requestId, { failure: null, endTimestamp: timestamp, encodedBytes: encodedDataLength })
    })
    wire.on('Network.loadingFailed', (event) => {
      this.#tooLarge.delete(event.requestId)
      const exchange = this.#inFlight.get(event.requestId)
      const failure = exchange && lacksOnlyBody(exchange, event) ? null : failureOf(event)
      const end = (why: string | null) =>
        this.#end(event.requestId, { failure: why, endTimestamp: event.timestamp, encodedBytes: null })
      if (failure === null || !exchange) return end(failure)
      this.#connections.explain(failure, exchange.url, exchange.startedAt, (why) => {
        // For whoever hears the event after us, the HAR among them.
        if (why !== failure) event.errorText = why
        end(why)
      })
    })
    wire.on('Fetch.requestPaused', ({ requestId, networkId }) => {
      if (this.#credentials === null || networkId === undefined) return
      this.#fetches.set(requestId, networkId)
      forgetOldest(this.#fetches)
    })
    wire.on('Fetch.authRequired', (event) => this.#authRequired(event))
    wire.on('Page.frameNavigated', ({ frame }) => this.#documentLeft(frame.id, frame.loaderId))
  }

  /** Servers that ask for credentials are given some, so that requests are made twice. */
  expectCredentials(credentials: Pick<AuthorizationRedaction, 'areFor'>): void {
    this.#credentials = credentials
  }

  /** A worker, frame or page is gone: nobody will tell how its requests ended. */
  sessionEnded(session: TrackedSession): void {
    if (session.type === 'page') {
      this.#giveUp((exchange) => session.page !== null && exchange.session.page === session.page, 'page closed')
    } else {
      const what = session.type === 'iframe' ? 'frame closed' : 'worker ended'
      this.#giveUp((exchange) => exchange.session === session, what)
    }
  }

  pageCrashed(page: TrackedPage): void {
    this.#giveUp((exchange) => exchange.session.page === page, 'page crashed')
  }

  /**
   * A request of which the browser told something that could not be read is counted, once, and not recorded. Where only
   * headers as they went over the wire are missing, the entry has those that the page gave.
   */
  tooLarge(event: TooLarge): void {
    const { method, sessionId } = event
    const requestId = requestIdOf(event)
    if (requestId === null || sessionId === null || !this.#targets.speaker(sessionId)) return
    if (method === 'Network.requestWillBeSentExtraInfo') this.#chain(requestId).sent.push(null)
    if (method === 'Network.responseReceivedExtraInfo') this.#receivedExtraInfo(requestId, null)
    const isStart = method === 'Network.requestWillBeSent' && !isOfDataUrl(event)
    if (isStart || method === 'Network.responseReceived' || method === 'Network.loadingFailed') {
      const exchange = this.#inFlight.get(requestId)
      if (exchange) {
        this.#inFlight.delete(requestId)
        this.#recorder.tooLarge('NETWORK_REQUEST', exchange.requestId)
      }
      // The first of a redirect's hops ends where the next begins. A second session tells of the same request.
      const told = this.#tooLarge.get(requestId)
      if (isStart && (told === undefined || told === sessionId)) this.#recorder.tooLarge('NETWORK_REQUEST')
      if (isStart || exchange) this.#noteTooLarge(requestId, sessionId)
    }
  }

  /** Records those that have ended and still wait for their headers; those that wait for their bodies as soon as they are there. */
  flush(): void {
    for (const waiting of this.#waiting) this.#headersLate(waiting)
  }

  dispose(): void {
    for (const { timer } of this.#waiting) clearTimeout(timer)
    for (const timer of this.#leftDocumentTimers) clearTimeout(timer)
    this.#waiting.clear()
    this.#leftDocumentTimers.clear()
  }

  #willBeSent(event: CdpEvents['Network.requestWillBeSent'], sessionId: string | undefined): void {
    const session = this.#targets.speaker(sessionId)
    // A data: URL is no request: nothing leaves the browser, and its text is part of the page's own.
    if (!session || event.request.url.startsWith('data:')) return
    if (this.#tooLarge.has(event.requestId)) {
      // Told by a second session; or the next hop, with which the one that was too large has ended.
      if (!event.redirectResponse) return
      this.#tooLarge.delete(event.requestId)
    }
    const previous = this.#inFlight.get(event.requestId)
    if (previous) {
      // Without a redirect it is the same request, told by a second session: that of a frame in a process of its own.
      const { redirectResponse } = event
      if (!redirectResponse) return
      const { startedAt, startTimestamp } = previous
      previous.lacksPeer = !this.#connections.amend(redirectResponse, startedAt, startTimestamp)
      this.#answered(previous, event.requestId, redirectResponse, event.redirectHasExtraInfo)
      const encodedBytes = redirectResponse.encodedDataLength
      this.#end(event.requestId, { failure: null, endTimestamp: event.timestamp, encodedBytes }, 'HOP')
    }
    const exchange = beginExchange(++this.#count, session, event, previous?.url ?? null)
    this.#bodies.begun(event.requestId, exchange, event.request)
    this.#begin(event.requestId, exchange)
    this.#endBlocked(event.requestId, event.timestamp)
  }

  /** Of a document that its page leaves before it is there, the browser tells no end. */
  #endBlocked(chainId: string, endTimestamp: number): void {
    const rule = this.#guard.ruleOf(chainId)
    if (rule !== null) this.#end(chainId, { failure: blockedBy(rule), endTimestamp, encodedBytes: null })
  }

  #answered(exchange: Exchange, chainId: string, response: CdpResponse, hasExtraInfo: boolean | undefined): void {
    exchange.response = boundedResponse(response)
    if (hasExtraInfo === true && exchange.extraIndex === null) exchange.extraIndex = this.#chain(chainId).promised++
  }

  /**
   * Playwright gives the credentials, once, and the browser tells nothing else of the response that asked for them. It is an
   * entry of its own, as the hop of a redirect is.
   */
  #authRequired({ requestId: fetchId, request, authChallenge }: CdpEvents['Fetch.authRequired']): void {
    const chainId = this.#fetches.get(fetchId)
    if (chainId === undefined || authChallenge.source === 'Proxy' || !this.#credentials?.areFor(request.url)) return
    // Asked again, it does not give them again.
    this.#fetches.delete(fetchId)
    const exchange = this.#inFlight.get(chainId)
    if (!exchange || exchange.response !== null) return
    const chain = this.#chain(chainId)
    const now = Date.now()
    const timestamp = exchange.startTimestamp + Math.max(0, now - exchange.startedAt) / 1000
    exchange.response = unauthorized(exchange.url)
    exchange.extraIndex = chain.promised++
    chain.received.splice(exchange.extraIndex, 0, null)
    this.#end(chainId, { failure: null, endTimestamp: timestamp, encodedBytes: null }, 'SAME')
    const again = { ...exchange, requestId: ++this.#count, startedAt: now, startTimestamp: timestamp }
    this.#begin(chainId, { ...again, response: null, extraIndex: null, authorizedBy: authChallenge.scheme })
  }

  #begin(chainId: string, exchange: Exchange): void {
    this.#inFlight.set(chainId, exchange)
    const { requestId, startedAt, url, method, resourceType, pageId } = exchange
    this.#recorder.requestStarted({ requestId, startedAt, url, method, resourceType, pageId })
  }

  #receivedExtraInfo(chainId: string, extra: WireHeaders['received']): void {
    const chain = this.#chain(chainId)
    chain.received.push(extra)
    for (const waiting of this.#waiting) if (waiting.chain === chain) this.#writeIfComplete(waiting)
  }

  /** `goesOn`: see BodyRecorder.collect. */
  #end(chainId: string, outcome: Outcome, goesOn: 'HOP' | 'SAME' | null = null): void {
    const exchange = this.#inFlight.get(chainId)
    if (!exchange) return
    this.#inFlight.delete(chainId)
    const chain = this.#chain(chainId)
    const collected = this.#bodies.collect(chainId, exchange, outcome, goesOn)
    const waiting: Waiting = {
      exchange,
      outcome,
      endedAt: Date.now(),
      chain,
      bodies: collected instanceof Promise ? null : collected,
      isLate: false,
      timer: setTimeout(() => this.#headersLate(waiting), LATE_HEADERS_MS),
    }
    this.#waiting.add(waiting)
    if (collected instanceof Promise) void this.#awaitBodies(waiting, collected)
    else this.#writeIfComplete(waiting)
  }

  async #awaitBodies(waiting: Waiting, bodies: Promise<EntryBodies>): Promise<void> {
    waiting.bodies = await bodies
    this.#writeIfComplete(waiting)
  }

  #headersLate(waiting: Waiting): void {
    waiting.isLate = true
    this.#writeIfComplete(waiting)
  }

  #writeIfComplete(waiting: Waiting): void {
    const { bodies } = waiting
    if (bodies !== null && this.#waiting.has(waiting) && (waiting.isLate || hasHeaders(waiting)))
      this.#write(waiting, bodies)
  }

  #write(waiting: Waiting, bodies: EntryBodies): void {
    const { exchange, outcome, endedAt, chain, timer } = waiting
    clearTimeout(timer)
    this.#waiting.delete(waiting)
    const { response, lacksPeer, startedAt, startTimestamp } = exchange
    if (response && lacksPeer) this.#connections.amendLate(response, startedAt, startTimestamp)
    const index = exchange.extraIndex
    const wire: WireHeaders = {
      // Sent headers are told even of a request that was never answered.
      sent: withAuthorization(chain.sent, index ?? chain.promised, exchange),
      received: index === null ? null : (chain.received[index] ?? null),
    }
    const data = toNetworkEntry(exchange, outcome, wire, withHidden(bodies, exchange, outcome, wire), endedAt)
    this.#recorder.record({ kind: 'NETWORK_REQUEST', at: data.startedAt + data.durationMs, data })
  }

  #giveUp(isLost: (exchange: Exchange) => boolean, failure: string): void {
    for (const [chainId, exchange] of this.#inFlight) {
      if (isLost(exchange)) this.#end(chainId, { failure, endTimestamp: null, encodedBytes: null })
    }
  }

  /** A renderer that is left does not always say that its requests were dropped. */
  #documentLeft(frameId: string, loaderId: string): void {
    const left = new Set<Exchange>()
    for (const exchange of this.#inFlight.values()) {
      if (exchange.frameId === frameId && exchange.loaderId !== loaderId && !exchange.isNavigation) left.add(exchange)
    }
    if (left.size === 0) return
    const timer = setTimeout(() => {
      this.#leftDocumentTimers.delete(timer)
      this.#giveUp((exchange) => left.has(exchange), 'net::ERR_ABORTED')
    }, LEFT_DOCUMENT_MS)
    this.#leftDocumentTimers.add(timer)
  }

  #noteTooLarge(requestId: string, sessionId: string): void {
    this.#tooLarge.set(requestId, sessionId)
    forgetOldest(this.#tooLarge)
  }

  #chain(chainId: string): Chain {
    let chain = this.#chains.get(chainId)
    if (!chain) {
      chain = { sent: [], received: [], promised: 0 }
      this.#chains.set(chainId, chain)
      if (this.#chains.size > MAX_CHAINS) this.#forgetOldChains()
    }
    return chain
  }

  #forgetOldChains(): void {
    for (const chainId of this.#chains.keys()) {
      if (this.#chains.size <= MAX_CHAINS / 2) return
      if (!this.#inFlight.has(chainId)) this.#chains.delete(chainId)
    }
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (oldest !== undefined && map.size > MAX_CHAINS) map.delete(oldest)
}

function hasHeaders({ exchange, chain }: Waiting): boolean {
  return exchange.extraIndex === null || chain.received.length > exchange.extraIndex
}

/** The network process tells of a response that the page is not told of; nobody is given its body. */
function withHidden(
  bodies: EntryBodies,
  { response }: Exchange,
  { endTimestamp }: Outcome,
  { received }: WireHeaders,
): EntryBodies {
  if (response !== null || received === null) return bodies
  return { ...bodies, responseBodyOmitted: endTimestamp === null ? 'STREAMING' : 'OPAQUE' }
}
