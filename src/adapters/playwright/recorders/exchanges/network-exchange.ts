import {
  RESOURCE_TYPES,
  TEXT_LIMITS,
  type EntryData,
  type PendingRequest,
  type RequestInitiator,
  type RequestPriority,
  type ResourceType,
} from '../../../../ports/log-entry.ts'
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

/** What is known of a request when it begins. */
type BegunRequest = Omit<PendingRequest, 'status' | 'responseHeaders' | 'responseBytes'>

/** One request, or one hop of a redirected one, while it is in flight. */
export interface Exchange extends BegunRequest {
  session: TrackedSession
  /** What the browser calls it, of which a few are OTHER to us. */
  browserType: string | undefined
  frameId: string | undefined
  loaderId: string
  isNavigation: boolean
  frame: EntryData['NETWORK_REQUEST']['frame']
  initiator: RequestInitiator | null
  /** The browser's id of the request that it is for: of a preflight. */
  causedBy: string | null
  priority: RequestPriority | null
  /** Monotonic seconds, as all timestamps of the Network domain. */
  startTimestamp: number
  redirectedFrom: string | null
  requestHeaders: Headers
  bodyBytes: number | null
  response: CdpResponse | null
  /** Who answered was not known when the response came. */
  lacksPeer: boolean
  servedFromCache: boolean
  /** Which of the extra infos of its chain belong to it; null while none is promised. */
  extraIndex: number | null
  /** The scheme by which credentials were given, after the first try was refused. */
  authorizedBy: string | null
  decodedBytes: number
  /** What is shown of its response while it is in flight. */
  shown: Pick<PendingRequest, 'status' | 'responseHeaders'> | null
  /** Its document was left: the renderer may tell no end of it. */
  isLeft: boolean
  /** Of a navigation: its document is shown. */
  isCommitted: boolean
}

/** How a request ended. */
export interface Outcome {
  failure: string | null
  /** Nobody told how it ended, and it may have gone on without its page. */
  isUnknown?: boolean
  /** Its page canceled it, as the browser also says of a fetch that goes on when its page is closed. */
  isDoubtful?: boolean
  /** Null when the browser never said so. */
  endTimestamp: number | null
  /** Bytes received, headers included; null when unknown. */
  encodedBytes: number | null
}

export function resourceTypeOf(type: string | undefined): ResourceType {
  const name = type?.toUpperCase() ?? 'OTHER'
  return KNOWN_TYPES.has(name) ? (name as ResourceType) : 'OTHER'
}

/** Bytes of the body as far as the protocol tells them: 0 without a body, null when it is too long to be told. */
function bodyBytesOf(request: CdpEvents['Network.requestWillBeSent']['request']): number | null {
  if (request.hasPostData !== true) return 0
  // `postDataEntries`, which replace it, would have to be decoded from base64 to be measured.
  // oxlint-disable-next-line typescript/no-deprecated
  const { postData } = request
  return postData === undefined ? null : Buffer.byteLength(postData)
}

/** Of what the browser calls the priority of a request; null: of none that is known. */
export const priorityOf = (priority: string | undefined): RequestPriority | null => PRIORITIES[priority ?? ''] ?? null

/** What is kept of an answer until its request has ended. */
export function boundedResponse(response: CdpResponse): CdpResponse {
  return { ...response, url: cutUrl(response.url), headers: boundedHeaders(response.headers) }
}

/** Of the headers of each hop, those of this one. Of one that gave credentials, the browser tells those of the first try alone. */
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

/** A response of which nothing is known but that it asked for credentials. */
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

/** Where a redirect leads of which the network process tells alone; null: the response is none. */
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
