import {
  RESOURCE_TYPES,
  TEXT_LIMITS,
  type EntryData,
  type PendingRequest,
  type RequestInitiator,
  type RequestPriority,
  type ResourceType,
} from '../../../../ports/log/log-entry.ts'
import type { CdpEvents, CdpResponse } from '../../cdp/protocol/cdp-events.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import { isWorker, type TrackedSession } from '../../cdp/targets/target-registry.ts'
import type { ReceivedInfo, SentInfo } from './extra-info.ts'
import { boundedHeaders, headerOf, type Headers } from './network-headers.ts'
import { initiatorOf } from './network-initiator.ts'

const KNOWN_TYPES: ReadonlySet<string> = new Set(RESOURCE_TYPES)

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

const PRIORITIES: Readonly<Record<string, RequestPriority>> = {
  VeryLow: 'VERY_LOW',
  Low: 'LOW',
  Medium: 'MEDIUM',
  High: 'HIGH',
  VeryHigh: 'VERY_HIGH',
}

/** Properties known at the beginning of a request. */
type BegunRequest = Omit<PendingRequest, 'status' | 'responseHeaders' | 'responseBytes'>

/** One pending request, or one hop of a redirected one. */
export interface Exchange extends BegunRequest {
  session: TrackedSession
  /** The browser's resource type; we map some of them to OTHER. */
  browserType: string | undefined
  frameId: string | undefined
  loaderId: string
  isNavigation: boolean
  frame: EntryData['NETWORK_REQUEST']['frame']
  initiator: RequestInitiator | null
  /** For a preflight: the browser's id of the request that it is for. */
  causedBy: string | null
  priority: RequestPriority | null
  /** Monotonic seconds, like all timestamps of the Network domain. */
  startTimestamp: number
  redirectedFrom: string | null
  requestHeaders: Headers
  bodyBytes: number | null
  response: CdpResponse | null
  /** The remote address was not known when the response came. */
  lacksPeer: boolean
  servedFromCache: boolean
  /** Index of its extra info in the chain; null while none is announced. */
  extraIndex: number | null
  /** The authentication scheme, if credentials were sent after the first attempt was rejected. */
  authorizedBy: string | null
  decodedBytes: number
  /** The visible part of its response while it is pending. */
  shown: Pick<PendingRequest, 'status' | 'responseHeaders'> | null
  /** Its document was left: the renderer may not report its end. */
  isLeft: boolean
  /** Navigation: its document is shown. */
  isCommitted: boolean
}

/** How a request ended. */
export interface Outcome {
  failure: string | null
  /** Its end was not reported, and it may have continued without its page. */
  isUnknown?: boolean
  /** Its page canceled it, according to the browser, which also reports that for a fetch that outlives its page. */
  isDoubtful?: boolean
  /** Null if the browser did not report it. */
  endTimestamp: number | null
  /** Bytes received, headers included; null: unknown. */
  encodedBytes: number | null
}

export function resourceTypeOf(type: string | undefined): ResourceType {
  const name = type?.toUpperCase() ?? 'OTHER'
  return KNOWN_TYPES.has(name) ? (name as ResourceType) : 'OTHER'
}

/** Bytes of the body as far as the protocol reports them: 0 without a body, null if it is too long to be reported. */
function bodyBytesOf(request: CdpEvents['Network.requestWillBeSent']['request']): number | null {
  if (request.hasPostData !== true) return 0
  // `postDataEntries`, which replace it, would have to be decoded from base64 to be measured.
  // oxlint-disable-next-line typescript/no-deprecated
  const { postData } = request
  return postData === undefined ? null : Buffer.byteLength(postData)
}

/** Maps the browser's priority of a request; null: it is unknown. */
export const priorityOf = (priority: string | undefined): RequestPriority | null => PRIORITIES[priority ?? ''] ?? null

/** The part of a response that is stored until its request has ended. */
export function boundedResponse(response: CdpResponse): CdpResponse {
  return { ...response, url: cutUrl(response.url), headers: boundedHeaders(response.headers) }
}

/** The sent headers of this hop. For a hop with credentials, the browser reports only those of the first attempt. */
export function withAuthorization(
  sent: readonly (SentInfo | null)[],
  index: number,
  { authorizedBy, requestHeaders }: Exchange,
): SentInfo | null {
  const own = sent[index] ?? null
  if (own || authorizedBy === null) return own
  const scheme = authorizedBy.slice(0, 1).toUpperCase() + authorizedBy.slice(1).toLowerCase()
  const { headers, cookies } = sent[index - 1] ?? { headers: requestHeaders, cookies: { list: [], omitted: 0 } }
  return { headers: { ...headers, authorization: `${scheme} [redacted]` }, cookies }
}

/** A response of which only the request for credentials is known. */
export function unauthorized(url: string): CdpResponse {
  return {
    url,
    status: 401,
    statusText: '',
    headers: {},
    mimeType: '',
    charset: '',
    connectionReused: false,
    connectionId: 0,
    encodedDataLength: 0,
    securityState: 'unknown',
  }
}

/** A hop that has just begun. */
export function beginExchange(
  requestId: number,
  session: TrackedSession,
  event: CdpEvents['Network.requestWillBeSent'],
  redirectedFrom: string | null,
): Exchange {
  const { frameId, documentURL } = event
  return {
    requestId,
    startedAt: Math.round(event.wallTime * 1000),
    url: cutUrl(event.request.url),
    method: cutText(event.request.method, TEXT_LIMITS.method),
    resourceType: resourceTypeOf(event.type),
    pageId: session.page?.pageId ?? null,
    session,
    browserType: event.type,
    frameId,
    loaderId: event.loaderId,
    isNavigation: event.type === 'Document' && event.requestId === event.loaderId,
    frame:
      frameId === undefined || isWorker(session)
        ? null
        : { frameId: cutText(frameId, TEXT_LIMITS.requestFact), url: cutUrl(documentURL ?? '') },
    initiator: initiatorOf(event.initiator),
    causedBy: event.initiator?.requestId ?? null,
    priority: priorityOf(event.request.initialPriority),
    startTimestamp: event.timestamp,
    redirectedFrom,
    requestHeaders: boundedHeaders(event.request.headers),
    bodyBytes: bodyBytesOf(event.request),
    response: null,
    lacksPeer: false,
    servedFromCache: false,
    extraIndex: null,
    authorizedBy: null,
    decodedBytes: 0,
    shown: null,
    isLeft: false,
    isCommitted: false,
  }
}

/** The next hop of a redirect that only the network process reports; null: the response is no redirect. */
export function nextHop(exchange: Exchange, { statusCode, headers }: ReceivedInfo, now: number): Exchange | null {
  const location = REDIRECTS.has(statusCode) ? headerOf(headers, 'location') : null
  const url = location === null ? null : URL.parse(location, exchange.url)
  if (!url) return null
  const isFetchedAnew = statusCode === 303 || (statusCode < 303 && exchange.method === 'POST')
  return {
    ...exchange,
    startedAt: now,
    startTimestamp: exchange.startTimestamp + Math.max(0, now - exchange.startedAt) / 1000,
    url: cutUrl(url.href),
    method: isFetchedAnew && exchange.method !== 'HEAD' ? 'GET' : exchange.method,
    bodyBytes: isFetchedAnew ? 0 : exchange.bodyBytes,
    redirectedFrom: exchange.url,
    extraIndex: null,
  }
}
