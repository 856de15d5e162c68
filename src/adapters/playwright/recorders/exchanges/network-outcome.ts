import type { CdpEvents, CdpResponse } from '../../cdp/protocol/cdp-events.ts'
import { headerOf } from './network-headers.ts'
import type { Exchange, Outcome } from './network-exchange.ts'

/** Errors that the page gets instead of a response that it must not see. */
const HIDES_RESPONSE = /^net::ERR_BLOCKED_BY_(?:RESPONSE|ORB)/
/** CORS errors of requests that were never sent. */
const NEVER_SENT = /^(?:Preflight|DisallowedByMode|CorsDisabledScheme|Insecure|Invalid|Unexpected)/
/** Types of requests that browsers send on behalf of a page that may be gone, and that no page can cancel. */
const PING_TYPES: ReadonlySet<string | undefined> = new Set(['Ping', 'CSPViolationReport'])
/** Longest body of a fetch that may outlive its page. */
const MAX_KEEPALIVE_BYTES = 65_536

export function failureOf(event: CdpEvents['Network.loadingFailed']): string {
  const text = event.errorText || 'failed'
  if (event.blockedReason) return `${text} (blocked: ${event.blockedReason})`
  if (event.corsErrorStatus) return `${text} (CORS: ${event.corsErrorStatus.corsError})`
  return text
}

/** Whether there was a response without a body: the browser reports that as a failure, although nothing failed. */
export function lacksOnlyBody(exchange: Exchange, event: CdpEvents['Network.loadingFailed']): boolean {
  const { response, method, isNavigation, decodedBytes } = exchange
  if (!response || isNavigation || event.errorText !== 'net::ERR_ABORTED') return false
  if (event.blockedReason || event.corsErrorStatus) return false
  if (method === 'HEAD' || isBodiless(response)) return true
  // In chunks or over HTTP/2, an empty body has no Content-Length; but then it has no Content-Type either.
  const says = (name: string) => headerOf(response.headers, name) !== null
  return decodedBytes === 0 && !says('content-length') && !says('content-type')
}

/** Whether there may be a response that is hidden from the page. */
export function mayHideResponse(event: CdpEvents['Network.loadingFailed']): boolean {
  const { corsErrorStatus, errorText, canceled } = event
  if (corsErrorStatus) return !NEVER_SENT.test(corsErrorStatus.corsError)
  return canceled !== true && HIDES_RESPONSE.test(errorText)
}

/** A beacon, ping or report. */
export const isPing = ({ browserType }: Exchange) => PING_TYPES.has(browserType)

/** Whether it may continue without its page. The browser does not report which fetches do. */
export function mayOutlivePage(exchange: Exchange): boolean {
  if (isPing(exchange)) return true
  return exchange.resourceType === 'FETCH' && (exchange.bodyBytes ?? MAX_KEEPALIVE_BYTES) <= MAX_KEEPALIVE_BYTES
}

/** The same for a request that delivers data; a fetch that only reads data is of no use without its page. */
export function mayBeDelivered(exchange: Exchange): boolean {
  const { method } = exchange
  return isPing(exchange) || (mayOutlivePage(exchange) && method !== 'GET' && method !== 'HEAD')
}

/**
 * Outcome of a request whose end will not be reported, since its page, frame or worker is gone. `mayContinue`: it may
 * continue without it. For a request that delivers data, the rest of a response may have arrived, too.
 */
export function abandoned(exchange: Exchange, failure: string, mayContinue = mayOutlivePage(exchange)): Outcome {
  const { response } = exchange
  const isComplete = response !== null && isWhole(exchange, response)
  const isUnknown = !isComplete && mayContinue && (response === null || mayBeDelivered(exchange))
  return { failure: isComplete || isUnknown ? null : failure, isUnknown, endTimestamp: null, encodedBytes: null }
}

/**
 * Whether the whole response was received, as far as can be known. A page that closes itself, like the last one of a
 * sign-in, ends before the browser reports the end of its document.
 */
function isWhole(exchange: Exchange, response: CdpResponse): boolean {
  if (isPing(exchange) || exchange.method === 'HEAD' || isBodiless(response)) return true
  const length = headerOf(response.headers, 'content-length')
  if (length !== null && headerOf(response.headers, 'content-encoding') === null) {
    return exchange.decodedBytes >= Number(length)
  }
  return exchange.isCommitted && exchange.decodedBytes > 0
}

const isBodiless = ({ status, headers }: CdpResponse) =>
  status === 204 || status === 304 || headerOf(headers, 'content-length') === '0'
