import type { EntryBodies } from '../../../../contract/entries/body.ts'
import { outcomeOfFailure } from '../../../../contract/entries/network-request.ts'
import {
  TEXT_LIMITS,
  type EntryData,
  type NetworkTiming,
  type ResponseSource,
} from '../../../../ports/log/log-entry.ts'
import type { CdpResponse } from '../../cdp/protocol/cdp-events.ts'
import { cutText } from '../../cdp/protocol/cut-text.ts'
import type { ExtraInfo } from './extra-info.ts'
import type { Exchange, Outcome } from './network-exchange.ts'
import { headerOf, headersOf, type Headers } from './network-headers.ts'

/** The entry of a request that has ended. */
export function toNetworkEntry(
  exchange: Exchange,
  outcome: Outcome,
  extra: ExtraInfo,
  bodies: EntryBodies,
  now: number,
): EntryData['NETWORK_REQUEST'] {
  const { response } = exchange
  const durationMs =
    outcome.endTimestamp === null
      ? now - exchange.startedAt
      : Math.round((outcome.endTimestamp - exchange.startTimestamp) * 1000)
  const requestHeaders = headersOf(extra.sent?.headers ?? exchange.requestHeaders)
  const contentLength = requestHeaders['content-length']
  return {
    requestId: exchange.requestId,
    startedAt: exchange.startedAt,
    url: exchange.url,
    method: exchange.method,
    resourceType: exchange.resourceType,
    // For a "304 Not Modified", the browser shows the 200 of its cached copy.
    status: statusOf(response, extra),
    statusText: statusTextOf(response, extra),
    outcome: outcome.isUnknown ? 'UNKNOWN' : outcomeOfFailure(outcome.failure),
    failure: outcome.failure === null ? null : cutText(outcome.failure, TEXT_LIMITS.failure),
    durationMs: Math.max(0, durationMs),
    requestBytes:
      contentLength !== undefined && /^\d{1,15}$/.test(contentLength) ? Number(contentLength) : exchange.bodyBytes,
    responseBytes: responseBytesOf(exchange, outcome),
    fromCache: exchange.servedFromCache || isFromElsewhere(exchange),
    servedBy: sourceOf(exchange, extra),
    mimeType: mimeTypeOf(response, extra),
    protocol: protocolOf(response, extra),
    priority: exchange.priority,
    isNavigation: exchange.isNavigation,
    frame: exchange.frame,
    initiator: exchange.initiator,
    redirectedFrom: exchange.redirectedFrom,
    requestHeaders,
    responseHeaders: responseHeadersOf(response, extra),
    cookiesSent: extra.sent?.cookies.list ?? null,
    cookiesSet: extra.received?.cookies.list ?? null,
    cookiesOmitted: (extra.sent?.cookies.omitted ?? 0) + (extra.received?.cookies.omitted ?? 0),
    timing: timingOf(exchange, outcome),
    remoteAddress: remoteAddressOf(exchange),
    ...bodies,
    pageId: exchange.pageId,
  }
}

/**
 * The page's and the network process's reports are parts of the same response. Only the latter exists if the page must
 * not see the response (CORS), or is gone. For a "304 Not Modified", the browser shows the 200 of its cached copy.
 */
export function statusOf(response: CdpResponse | null, { received }: ExtraInfo): number | null {
  return response && received?.statusCode !== 304 ? response.status : (received?.statusCode ?? null)
}

export function responseHeadersOf(response: CdpResponse | null, { received }: ExtraInfo): Headers | null {
  const headers = received?.headers ?? response?.headers
  return headers ? headersOf(headers) : null
}

/** Null if empty, as over HTTP/2, which has none. */
function statusTextOf(response: CdpResponse | null, { received }: ExtraInfo): string | null {
  const reported = received?.statusLine?.match(/^HTTP\/\S+ \d+ (.*)$/)?.[1]
  return cutText(reported ?? response?.statusText ?? '', TEXT_LIMITS.requestFact) || null
}

function mimeTypeOf(response: CdpResponse | null, { received }: ExtraInfo): string | null {
  const reported = received ? headerOf(received.headers, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase() : null
  return cutText(response?.mimeType || reported || '', TEXT_LIMITS.requestFact) || null
}

function protocolOf(response: CdpResponse | null, { received }: ExtraInfo): string | null {
  const reported = received?.statusLine?.match(/^HTTP\/\d\.\d/)?.[0].toLowerCase()
  return cutText(response?.protocol ?? reported ?? '', TEXT_LIMITS.requestFact) || null
}

/** Null: there was no response, or the browser itself created it (blob:, about:). */
function sourceOf(exchange: Exchange, { received }: ExtraInfo): ResponseSource | null {
  const { url, response, servedFromCache } = exchange
  if (servedFromCache) return 'MEMORY_CACHE'
  if (response?.fromServiceWorker === true) return 'SERVICE_WORKER'
  if (isPrefetched(exchange)) return 'PREFETCH'
  if (response?.fromDiskCache === true) return 'DISK_CACHE'
  return (response && /^https?:/i.test(url)) || received ? 'NETWORK' : null
}

/** The browser says so of the prefetches of speculation rules, too, which go to the network themselves. */
const isPrefetched = ({ response, browserType }: Exchange) =>
  response?.fromPrefetchCache === true && browserType !== 'Prefetch'

/** Whether the response came from a cache or a service worker. */
const isFromElsewhere = (exchange: Exchange) =>
  exchange.response?.fromDiskCache === true || isPrefetched(exchange) || exchange.response?.fromServiceWorker === true

/**
 * Bytes of the body as transferred over the network. If none were (a cache, a service worker, a worker's script, for
 * which the browser reports 0 or less), the length of the body itself.
 */
function responseBytesOf({ response, decodedBytes }: Exchange, { encodedBytes, failure }: Outcome): number | null {
  if (!response) return null
  const received = encodedBytes === null ? 0 : encodedBytes - Math.max(0, response.encodedDataLength)
  if (received > 0) return received
  if (decodedBytes > 0) return decodedBytes
  return failure === null ? 0 : null
}

/** Null if there was no connection, or the remote end is behind an upstream proxy of the user. */
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
