import type { EntryBodies } from '../../../contract/entries/body.ts'
import {
  RESOURCE_TYPES,
  TEXT_LIMITS,
  type EntryData,
  type NetworkTiming,
  type PendingRequest,
  type ResourceType,
} from '../../../ports/log-entry.ts'
import type { CdpEvents, CdpResponse } from '../cdp/protocol/cdp-events.ts'
import { cutText, cutUrl } from '../cdp/protocol/cut-text.ts'
import type { TrackedSession } from '../cdp/targets/target-registry.ts'

const KNOWN_TYPES: ReadonlySet<string> = new Set(RESOURCE_TYPES)

type Headers = Record<string, string>

/** One request, or one hop of a redirected one, while it is in flight. */
export interface Exchange extends PendingRequest {
  session: TrackedSession
  frameId: string | undefined
  loaderId: string
  isNavigation: boolean
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
}

/** How a request ended. */
export interface Outcome {
  failure: string | null
  /** Null when the browser never said so. */
  endTimestamp: number | null
  /** Bytes received, headers included; null when unknown. */
  encodedBytes: number | null
}

/** What went over the wire, cookies included, as the network process tells it. */
export interface WireHeaders {
  sent: Headers | null
  received: { headers: Headers; statusCode: number } | null
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

export function failureOf(event: CdpEvents['Network.loadingFailed']): string {
  const text = event.errorText || 'failed'
  if (event.blockedReason) return `${text} (blocked: ${event.blockedReason})`
  if (event.corsErrorStatus) return `${text} (CORS: ${event.corsErrorStatus.corsError})`
  return text
}

/** Whether an answer came that has no body: that "fails" in the browser's books, though nothing failed. */
export function lacksOnlyBody(exchange: Exchange, event: CdpEvents['Network.loadingFailed']): boolean {
  const { response, method, isNavigation } = exchange
  if (!response || isNavigation || event.errorText !== 'net::ERR_ABORTED') return false
  if (event.blockedReason || event.corsErrorStatus) return false
  if (method === 'HEAD' || response.status === 204 || response.status === 304) return true
  return Object.entries(response.headers).some(
    ([name, value]) => name.toLowerCase() === 'content-length' && value === '0',
  )
}

/** The entry of a request that has ended. */
export function toNetworkEntry(
  exchange: Exchange,
  outcome: Outcome,
  wire: WireHeaders,
  bodies: EntryBodies,
  now: number,
): EntryData['NETWORK_REQUEST'] {
  const { response } = exchange
  const durationMs =
    outcome.endTimestamp === null
      ? now - exchange.startedAt
      : Math.round((outcome.endTimestamp - exchange.startTimestamp) * 1000)
  const requestHeaders = headersOf(wire.sent ?? exchange.requestHeaders)
  const contentLength = requestHeaders['content-length']
  return {
    requestId: exchange.requestId,
    startedAt: exchange.startedAt,
    url: exchange.url,
    method: exchange.method,
    resourceType: exchange.resourceType,
    // The browser shows its cached copy's 200 for an answer that was "304 Not Modified".
    status: response ? (wire.received?.statusCode === 304 ? 304 : response.status) : null,
    failure: outcome.failure === null ? null : cutText(outcome.failure, TEXT_LIMITS.failure),
    durationMs: Math.max(0, durationMs),
    requestBytes:
      contentLength !== undefined && /^\d{1,15}$/.test(contentLength) ? Number(contentLength) : exchange.bodyBytes,
    responseBytes: responseBytesOf(exchange, outcome),
    fromCache: exchange.servedFromCache || isFromElsewhere(response),
    redirectedFrom: exchange.redirectedFrom,
    requestHeaders,
    responseHeaders: response ? headersOf(wire.received?.headers ?? response.headers) : null,
    timing: timingOf(exchange, outcome),
    remoteAddress: remoteAddressOf(exchange),
    ...bodies,
    pageId: exchange.pageId,
  }
}

/** Whether a cache or a service worker answered. */
const isFromElsewhere = (response: CdpResponse | null) =>
  response?.fromDiskCache === true || response?.fromPrefetchCache === true || response?.fromServiceWorker === true

/**
 * Bytes of the body as they came over the network. Where none did (a cache, a service worker, a worker's script, whose
 * sizes the browser tells as 0 or less) the length of the body itself.
 */
function responseBytesOf({ response, decodedBytes }: Exchange, { encodedBytes, failure }: Outcome): number | null {
  if (!response) return null
  const received = encodedBytes === null ? 0 : encodedBytes - Math.max(0, response.encodedDataLength)
  if (received > 0) return received
  if (decodedBytes > 0) return decodedBytes
  return failure === null ? 0 : null
}

/** As they came, unless they are more or longer than what is recorded: a request in flight must not keep megabytes. */
export function boundedHeaders(headers: Headers): Headers {
  let count = 0
  for (const [name, value] of Object.entries(headers)) {
    count += 1
    const isLong = name.length > TEXT_LIMITS.headerName || String(value).length > TEXT_LIMITS.headerValue
    if (isLong || count > TEXT_LIMITS.headerCount) return headersOf(headers)
  }
  return headers
}

/** What is kept of an answer until its request has ended. */
export function boundedResponse(response: CdpResponse): CdpResponse {
  return { ...response, url: cutUrl(response.url), headers: boundedHeaders(response.headers) }
}

/** Of the headers of each hop, those of this one. Of one that gave credentials, the browser tells those of the first try alone. */
export function withAuthorization(
  sent: readonly WireHeaders['sent'][],
  index: number,
  { authorizedBy, requestHeaders }: Exchange,
): WireHeaders['sent'] {
  const own = sent[index] ?? null
  if (own || authorizedBy === null) return own
  const scheme = authorizedBy.slice(0, 1).toUpperCase() + authorizedBy.slice(1).toLowerCase()
  return { ...(sent[index - 1] ?? requestHeaders), authorization: `${scheme} [redacted]` }
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

/** Names in lower case, as HTTP/2 has them; several of one name are joined by a line break, as the protocol does. */
function headersOf(headers: Headers): Headers {
  const kept: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':')) continue
    if (kept.length === TEXT_LIMITS.headerCount) break
    kept.push([cutText(name.toLowerCase(), TEXT_LIMITS.headerName), cutText(String(value), TEXT_LIMITS.headerValue)])
  }
  return Object.fromEntries(kept)
}

/** Null where nothing came over a connection, or its other end is behind a proxy of the user. */
function remoteAddressOf({ response, servedFromCache }: Exchange): string | null {
  const { remoteIPAddress: address, remotePort: port } = response ?? {}
  if (!address || !port || servedFromCache || response?.fromDiskCache === true) return null
  return `${address}:${port}`
}

function timingOf(
  { response, servedFromCache, startTimestamp }: Exchange,
  { endTimestamp }: Outcome,
): NetworkTiming | null {
  const timing = response?.timing
  if (!timing || servedFromCache || response.fromDiskCache === true) return null
  const phase = (start: number, end: number) => (start >= 0 && end >= start ? round(end - start) : null)
  const firstByte =
    timing.receiveHeadersStart && timing.receiveHeadersStart > 0 ? timing.receiveHeadersStart : timing.receiveHeadersEnd
  const begun = [timing.dnsStart, timing.connectStart, timing.sendStart].find((start) => start >= 0)
  return {
    queuedMs: begun === undefined ? null : Math.max(0, round((timing.requestTime - startTimestamp) * 1000 + begun)),
    dnsMs: phase(timing.dnsStart, timing.dnsEnd),
    connectMs: phase(timing.connectStart, timing.connectEnd),
    tlsMs: phase(timing.sslStart, timing.sslEnd),
    waitingMs: phase(timing.sendStart, firstByte),
    downloadMs:
      endTimestamp === null || firstByte <= 0
        ? null
        : Math.max(0, round((endTimestamp - timing.requestTime) * 1000 - firstByte)),
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}

/** A hop that has just begun. */
export function beginExchange(
  requestId: number,
  session: TrackedSession,
  event: CdpEvents['Network.requestWillBeSent'],
  redirectedFrom: string | null,
): Exchange {
  return {
    requestId,
    startedAt: Math.round(event.wallTime * 1000),
    url: cutUrl(event.request.url),
    method: cutText(event.request.method, TEXT_LIMITS.method),
    resourceType: resourceTypeOf(event.type),
    pageId: session.page?.pageId ?? null,
    session,
    frameId: event.frameId,
    loaderId: event.loaderId,
    isNavigation: event.type === 'Document' && event.requestId === event.loaderId,
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
  }
}
