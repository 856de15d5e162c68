import { LRUCache } from 'lru-cache'
import type { EntryBodies } from '../../../../contract/entries/body.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import type { CutFailure } from '../../../../ports/log/log-entry.ts'
import type { BodyRecorder } from '../bodies/body-recorder.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpEvents, CdpResponse } from '../../cdp/protocol/cdp-events.ts'
import {
  Chains,
  receivedInfo,
  sentInfo,
  type Chain,
  type ReceivedInfo,
  type ExtraInfo,
} from '../exchanges/extra-info.ts'
import { AuthChallenges } from './auth-challenges.ts'
import { EndedRequests, receivedOf, withHidden, type EndedRequest } from './ended-request.ts'
import { responseHeadersOf, statusOf, toNetworkEntry } from '../exchanges/network-entry.ts'
import {
  beginExchange,
  boundedResponse,
  nextHop,
  priorityOf,
  resourceTypeOf,
  unauthorized,
  withAuthorization,
  type Exchange,
  type Outcome,
} from '../exchanges/network-exchange.ts'
import { LEFT_MS, LeftRequests, leftMsOf } from './left-requests.ts'
import {
  abandoned,
  failureOf,
  isPing,
  lacksOnlyBody,
  mayBeDelivered,
  mayHideResponse,
  mayOutlivePage,
} from '../exchanges/network-outcome.ts'
import { NetworkProcess } from './network-process.ts'
import { RequestNumbers } from '../exchanges/request-numbers.ts'
import { blockedBy, type ConnectionOutcomes } from '../../network/connection-outcomes.ts'
import type { AuthorizationRedaction } from '../../captures/authorization-redaction.ts'
import type { NavigationGuard } from '../../network/navigation-guard.ts'
import { isOfDataUrl, requestIdOf, type TooLarge } from '../../cdp/pipe/oversized-message.ts'
import type { TrackedPage, TargetRegistry, TrackedSession } from '../../cdp/targets/target-registry.ts'

/** Most remembered requests that had a message that was too large. */
const MAX_REMEMBERED = 2_000

const UNREPORTED = { endTimestamp: null, encodedBytes: null } as const

/**
 * Every request of the browser: of pages, frames and workers, each hop of a redirect, and preflights. Headers as sent
 * over the wire (cookies included) come as "extra info" from another process, before or after the rest; so a request
 * that has ended waits for them, within a bound, and likewise for its bodies.
 */
export class NetworkRecorder {
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #guard: Pick<NavigationGuard, 'ruleOf'>
  readonly #connections: ConnectionOutcomes
  readonly #bodies: BodyRecorder
  readonly #inFlight = new Map<string, Exchange>()
  readonly #chains = new Chains((chainId) => this.#inFlight.has(chainId))
  /** Requests that are counted instead of recorded, with the session that reported them. */
  readonly #tooLarge = new LRUCache<string, string>({ max: MAX_REMEMBERED })
  readonly #ended: EndedRequests
  readonly #left = new LeftRequests()
  /** Requests cut by the end of the session; pages that still live may report them again. */
  readonly #cut = new Set<string>()
  readonly #challenges: AuthChallenges
  /** Numbers of the newest hops, for the browser's other reports on a request. */
  readonly numbers = new RequestNumbers()

  constructor(
    connection: CdpConnection,
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
    const network = new NetworkProcess(connection)
    this.#ended = new EndedRequests(
      (ended, entryBodies) => this.#write(ended, entryBodies),
      (sessionId) => network.heard(sessionId),
    )
    connection.on('Network.requestWillBeSent', (event, sessionId) => this.#willBeSent(event, sessionId))
    connection.on('Network.requestWillBeSentExtraInfo', (event) =>
      this.#chains.of(event.requestId).sent.push(sentInfo(event)),
    )
    connection.on('Network.responseReceivedExtraInfo', (event) =>
      this.#receivedExtraInfo(event.requestId, receivedInfo(event)),
    )
    connection.on('Network.resourceChangedPriority', ({ requestId, newPriority }) => {
      const exchange = this.#inFlight.get(requestId)
      if (exchange) exchange.priority = priorityOf(newPriority)
    })
    connection.on('Network.requestServedFromCache', ({ requestId }) => {
      const exchange = this.#inFlight.get(requestId)
      if (exchange) exchange.servedFromCache = true
    })
    connection.on('Network.responseReceived', ({ requestId, response, hasExtraInfo, type, timestamp }) => {
      const exchange = this.#inFlight.get(requestId)
      if (!exchange) return
      if (exchange.resourceType === 'OTHER') exchange.resourceType = resourceTypeOf(type)
      const chain = this.#chains.of(requestId)
      exchange.lacksPeer = !this.#connections.amend(response, exchange.startedAt, exchange.startTimestamp, chain.sentTo)
      this.#answered(exchange, requestId, response, hasExtraInfo)
      this.#shows(exchange, chain)
      this.#endBlocked(requestId, timestamp)
    })
    connection.on('Network.dataReceived', ({ requestId, dataLength }) => {
      const exchange = this.#inFlight.get(requestId)
      if (!exchange) return
      exchange.decodedBytes += dataLength
      this.#progressed(exchange)
    })
    connection.on('Network.loadingFinished', ({ requestId, timestamp, encodedDataLength }) => {
      this.#tooLarge.delete(requestId)
      this.#end(requestId, { failure: null, endTimestamp: timestamp, encodedBytes: encodedDataLength })
    })
    connection.on('Network.loadingFailed', (event) => this.#failed(event))
    this.#challenges = new AuthChallenges(connection, (chainId, scheme) => this.#challenged(chainId, scheme))
    connection.on('Page.frameNavigated', ({ frame }) => {
      const exchange = this.#inFlight.get(frame.loaderId)
      if (exchange) exchange.isCommitted = true
      this.#documentLeft(frame.id, frame.loaderId)
    })
    connection.on('Page.frameDetached', ({ frameId, reason }) => {
      if (reason !== 'swap') this.#documentLeft(frameId, null)
    })
  }

  /** Servers that require credentials will get some, so that requests are sent twice. */
  expectCredentials(credentials: Pick<AuthorizationRedaction, 'areFor'>): void {
    this.#challenges.expect(credentials)
  }

  /** The pending request with the browser's id. */
  pendingOf(chainId: string): Exchange | null {
    return this.#inFlight.get(chainId) ?? null
  }

  /** A client has the browser send a pending request to this URL instead of its own. */
  readonly rewritten = (chainId: string, url: string): void => void (this.#chains.of(chainId).sentTo = url)

  /** A worker, frame or page is gone: the ends of its requests will not be reported. */
  sessionEnded(session: TrackedSession): void {
    if (session.type === 'page') {
      this.#giveUp((exchange) => session.page !== null && exchange.session.page === session.page, 'page closed')
    } else {
      const what = session.type === 'iframe' ? 'frame closed' : 'worker ended'
      this.#giveUp((exchange) => exchange.session === session, what)
    }
  }

  pageCrashed(page: TrackedPage): void {
    this.#giveUp((exchange) => exchange.session.page === page, 'page crashed', isPing)
  }

  /**
   * A request with an unreadable event is counted, once, and not recorded. If only headers as sent over the wire are
   * missing, the entry has those that the page reported.
   */
  tooLarge(event: TooLarge): void {
    const { method, sessionId } = event
    const requestId = requestIdOf(event)
    if (requestId === null || sessionId === null || !this.#targets.source(sessionId)) return
    if (method === 'Network.requestWillBeSentExtraInfo') this.#chains.of(requestId).sent.push(null)
    if (method === 'Network.responseReceivedExtraInfo') this.#receivedExtraInfo(requestId, null)
    const isStart = method === 'Network.requestWillBeSent' && !isOfDataUrl(event)
    if (isStart || method === 'Network.responseReceived' || method === 'Network.loadingFailed') {
      const exchange = this.#inFlight.get(requestId)
      if (exchange) {
        this.#inFlight.delete(requestId)
        this.#recorder.missed('NETWORK_REQUEST', 'MESSAGE_TOO_LARGE', exchange.requestId)
      }
      // The first of a redirect's hops ends when the next begins. A second session may report the same request.
      const reported = this.#tooLarge.get(requestId)
      if (isStart && (reported === undefined || reported === sessionId))
        this.#recorder.missed('NETWORK_REQUEST', 'MESSAGE_TOO_LARGE')
      if (isStart || exchange) this.#tooLarge.set(requestId, sessionId)
    }
  }

  /**
   * Records ended requests that still wait for their headers, and cuts pending ones; those that wait for their bodies
   * are recorded as soon as these are complete.
   */
  flush(cutBy: CutFailure): void {
    for (const chainId of this.#inFlight.keys()) {
      this.#cut.add(chainId)
      this.#end(chainId, { ...UNREPORTED, failure: cutBy })
    }
    this.#ended.hurry()
  }

  dispose(): void {
    this.#ended.dispose()
    this.#left.dispose()
  }

  #willBeSent(event: CdpEvents['Network.requestWillBeSent'], sessionId: string | undefined): void {
    const session = this.#targets.source(sessionId)
    // A data: URL is no request: nothing leaves the browser, and its text is part of the page's own.
    if (!session || event.request.url.startsWith('data:')) return
    if (this.#tooLarge.has(event.requestId)) {
      // Reported by a second session; or the next hop, whose beginning ends the one that was too large.
      if (!event.redirectResponse) return
      this.#tooLarge.delete(event.requestId)
    }
    if (this.#cut.has(event.requestId) && !event.redirectResponse) return
    const previous = this.#inFlight.get(event.requestId)
    if (previous) {
      // Without a redirect it is the same request, reported by a second session: that of a frame in a process of its
      // own.
      const { redirectResponse } = event
      if (!redirectResponse) return
      const { startedAt, startTimestamp } = previous
      const chain = this.#chains.of(event.requestId)
      previous.lacksPeer = !this.#connections.amend(redirectResponse, startedAt, startTimestamp, chain.sentTo)
      chain.sentTo = null
      this.#answered(previous, event.requestId, redirectResponse, event.redirectHasExtraInfo)
      const encodedBytes = redirectResponse.encodedDataLength
      this.#end(event.requestId, { failure: null, endTimestamp: event.timestamp, encodedBytes }, 'HOP')
    }
    const exchange = beginExchange(this.numbers.next(), session, event, previous?.url ?? null)
    this.#bodies.begun(event.requestId, exchange, event.request)
    this.#begin(event.requestId, exchange)
    this.#endBlocked(event.requestId, event.timestamp)
  }

  /** The browser does not report the end of a document that its page leaves before it arrives. */
  #endBlocked(chainId: string, endTimestamp: number): void {
    const rule = this.#guard.ruleOf(chainId)
    if (rule !== null) this.#end(chainId, { failure: blockedBy(rule), endTimestamp, encodedBytes: null })
  }

  #answered(exchange: Exchange, chainId: string, response: CdpResponse, hasExtraInfo: boolean | undefined): void {
    exchange.response = boundedResponse(response)
    if (hasExtraInfo === true && exchange.extraIndex === null) exchange.extraIndex = this.#chains.of(chainId).promised++
  }

  /** The response that required credentials gets an entry of its own, like the hop of a redirect. */
  #challenged(chainId: string, scheme: string): void {
    const exchange = this.#inFlight.get(chainId)
    if (!exchange || exchange.response !== null) return
    const chain = this.#chains.of(chainId)
    const now = Date.now()
    const timestamp = exchange.startTimestamp + Math.max(0, now - exchange.startedAt) / 1000
    exchange.response = unauthorized(exchange.url)
    exchange.extraIndex = chain.promised++
    chain.received.splice(exchange.extraIndex, 0, null)
    this.#end(chainId, { failure: null, endTimestamp: timestamp, encodedBytes: null }, 'SAME')
    const again = { ...exchange, requestId: this.numbers.next(), startedAt: now, startTimestamp: timestamp }
    this.#begin(chainId, { ...again, response: null, extraIndex: null, authorizedBy: scheme })
  }

  #begin(chainId: string, exchange: Exchange): void {
    this.#inFlight.set(chainId, exchange)
    const { requestId, startedAt, url, method, resourceType, pageId } = exchange
    this.numbers.note(chainId, requestId)
    this.#ended.begun()
    const unanswered = { status: null, responseHeaders: null, responseBytes: 0 }
    this.#recorder.requestStarted({ requestId, startedAt, url, method, resourceType, pageId, ...unanswered })
  }

  /** Updates the visible part of the response of a pending request. */
  #shows(exchange: Exchange, chain: Chain): void {
    const extra = { sent: null, received: receivedOf(exchange, chain) }
    const { response } = exchange
    exchange.shown = { status: statusOf(response, extra), responseHeaders: responseHeadersOf(response, extra) }
    this.#progressed(exchange)
  }

  #progressed({ requestId, shown, decodedBytes }: Exchange): void {
    if (shown) this.#recorder.requestProgressed({ requestId, ...shown, responseBytes: decodedBytes })
  }

  #failed(event: CdpEvents['Network.loadingFailed']): void {
    const { requestId: chainId, timestamp: endTimestamp, canceled, blockedReason, corsErrorStatus } = event
    this.#tooLarge.delete(chainId)
    const exchange = this.#inFlight.get(chainId)
    if (!exchange) return
    const end = (failure: string | null, rest: Partial<Outcome> = {}) =>
      this.#end(chainId, { failure, endTimestamp, encodedBytes: null, ...rest })
    if (lacksOnlyBody(exchange, event)) return end(null)
    const isCanceled = canceled === true && !blockedReason && !corsErrorStatus
    if (isCanceled && exchange.response === null && mayOutlivePage(exchange)) {
      // The browser also reports this for requests that outlive a document that was left; and no page can cancel a
      // ping.
      if (exchange.isLeft || isPing(exchange)) return this.#leave(chainId, exchange, LEFT_MS.dropped)
      return end(failureOf(event), { isDoubtful: true })
    }
    const failure = failureOf(event)
    const isHidden = exchange.response === null && mayHideResponse(event)
    this.#connections.explain(failure, this.#chains.of(chainId).sentTo ?? exchange.url, exchange.startedAt, (why) => {
      // For later listeners of the event.
      if (why !== failure) event.errorText = why
      if (isHidden && this.#inFlight.get(chainId) === exchange) this.#expectResponse(chainId, exchange)
      end(why)
    })
  }

  /** Only the network process reports a response that is hidden from the page. */
  #expectResponse(chainId: string, exchange: Exchange): void {
    exchange.extraIndex ??= this.#chains.of(chainId).promised++
  }

  #receivedExtraInfo(chainId: string, extra: ReceivedInfo | null): void {
    const chain = this.#chains.of(chainId)
    chain.received.push(extra)
    this.#ended.received(chain)
    const exchange = this.#inFlight.get(chainId)
    if (exchange?.isLeft) this.#endDelivered(chainId, exchange)
    else if (exchange?.shown && exchange.extraIndex === chain.received.length - 1) this.#shows(exchange, chain)
  }

  /** Whether a request whose document was left has a response, about which its renderer reports nothing more. */
  #endDelivered(chainId: string, exchange: Exchange): boolean {
    const chain = this.#chains.of(chainId)
    const reported = chain.received[chain.promised]
    if (!reported || exchange.response !== null || !mayOutlivePage(exchange)) return false
    // The response has no receiver any more; sent data was delivered.
    const isDelivered = mayBeDelivered(exchange)
    this.#end(chainId, isDelivered ? { ...UNREPORTED, failure: null } : abandoned(exchange, 'net::ERR_ABORTED', false))
    const next = nextHop(exchange, reported, Date.now())
    if (next) {
      const hop = { ...next, requestId: this.numbers.next() }
      this.#begin(chainId, hop)
      this.#leave(chainId, hop)
    }
    return true
  }

  /** `continues`: see BodyRecorder.collect. */
  #end(chainId: string, outcome: Outcome, continues: 'HOP' | 'SAME' | null = null): void {
    const exchange = this.#inFlight.get(chainId)
    if (!exchange) return
    this.#inFlight.delete(chainId)
    const chain = this.#chains.of(chainId)
    if (exchange.response === null && chain.received.length > chain.promised) this.#expectResponse(chainId, exchange)
    const collected = this.#bodies.collect(chainId, exchange, outcome, continues)
    const { causedBy } = exchange
    const isCauseKnown = () => causedBy === null || this.numbers.of(causedBy) !== null
    this.#ended.add({ exchange, outcome, endedAt: Date.now(), chain, isCauseKnown }, collected)
  }

  #write({ exchange, outcome, endedAt, chain }: EndedRequest, bodies: EntryBodies): void {
    const { response, lacksPeer, startedAt, startTimestamp } = exchange
    if (response && lacksPeer) this.#connections.amendLate(response, startedAt, startTimestamp, chain.sentTo)
    const extra: ExtraInfo = {
      // Sent headers are reported even for a request without a response.
      sent: withAuthorization(chain.sent, exchange.extraIndex ?? chain.promised, exchange),
      received: receivedOf(exchange, chain),
    }
    const { initiator, causedBy } = exchange
    if (initiator && causedBy !== null) exchange.initiator = { ...initiator, requestId: this.numbers.of(causedBy) }
    const data = toNetworkEntry(exchange, outcome, extra, withHidden(bodies, exchange, outcome, extra), endedAt)
    this.#recorder.record({ kind: 'NETWORK_REQUEST', at: data.startedAt + data.durationMs, data })
  }

  #giveUp(isLost: (exchange: Exchange) => boolean, failure: string, mayContinue = mayOutlivePage): void {
    for (const [chainId, exchange] of this.#inFlight) {
      if (isLost(exchange)) this.#end(chainId, abandoned(exchange, failure, mayContinue(exchange)))
    }
    this.#ended.doubt(isLost, true)
  }

  /** A renderer that is left does not always report that its requests were dropped. */
  #documentLeft(frameId: string, loaderId: string | null): void {
    const isLeft = (exchange: Exchange) =>
      exchange.frameId === frameId && exchange.loaderId !== loaderId && (loaderId === null || !exchange.isNavigation)
    for (const [chainId, exchange] of this.#inFlight) {
      if (!exchange.isLeft && isLeft(exchange)) this.#leave(chainId, exchange)
    }
    this.#ended.doubt(isLeft, false)
  }

  #leave(chainId: string, exchange: Exchange, waitMs = leftMsOf(exchange)): void {
    exchange.isLeft = true
    if (this.#endDelivered(chainId, exchange)) return
    this.#left.wait(exchange, waitMs, (outcome) => {
      if (this.#inFlight.get(chainId) === exchange) this.#end(chainId, outcome)
    })
  }
}
