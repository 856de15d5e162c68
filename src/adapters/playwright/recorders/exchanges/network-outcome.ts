import type { CdpEvents, CdpResponse } from '../../cdp/protocol/cdp-events.ts'
import { headerOf } from './network-headers.ts'
import type { Exchange, Outcome } from './network-exchange.ts'

/** What is told to its page in place of a response, because the page must not see it. */
const HIDES_RESPONSE = /^net::ERR_BLOCKED_BY_(?:RESPONSE|ORB)/
/** CORS errors of requests that were never sent. */
const NEVER_SENT = /^(?:Preflight|DisallowedByMode|CorsDisabledScheme|Insecure|Invalid|Unexpected)/
/** What browsers send in the name of a page that is gone, and no page can cancel. */
const PING_TYPES: ReadonlySet<string | undefined> = new Set(['Ping', 'CSPViolationReport'])
/** A longer body is never sent by a fetch that may outlive its page. */
const MOST_KEEPALIVE_BYTES = 65_536

export function failureOf(event: CdpEvents['Network.loadingFailed']): string {
  const text = event.errorText || 'failed'
  if (event.blockedReason) return `${text} (blocked: ${event.blockedReason})`
  if (event.corsErrorStatus) return `${text} (CORS: ${event.corsErrorStatus.corsError})`
  return text
}

/** Whether a response came that has no body: that "fails" in the browser's books, though nothing failed. */
export function lacksOnlyBody(exchange: Exchange, event: CdpEvents['Network.loadingFailed']): boolean {
  const { response, method, isNavigation, decodedBytes } = exchange
  if (!response || isNavigation || event.errorText !== 'net::ERR_ABORTED') return false
  if (event.blockedReason || event.corsErrorStatus) return false
  if (method === 'HEAD' || isBodiless(response)) return true
  // Sent in chunks or over HTTP/2, an empty body has no length; but then nobody says of what type it is.
  const says = (name: string) => headerOf(response.headers, name) !== null
  return decodedBytes === 0 && !says('content-length') && !says('content-type')
}

/** Whether a response may have come that the page is not told of. */
export function mayHideResponse(event: CdpEvents['Network.loadingFailed']): boolean {
  const { corsErrorStatus, errorText, canceled } = event
  if (corsErrorStatus) return !NEVER_SENT.test(corsErrorStatus.corsError)
  return canceled !== true && HIDES_RESPONSE.test(errorText)
}

/** A beacon, ping or report. */
export const isPing = ({ browserType }: Exchange) => PING_TYPES.has(browserType)

/** Whether the browser may go on with it when its page is gone. It does not tell which fetches are such. */
export function mayOutlivePage(exchange: Exchange): boolean {
  if (isPing(exchange)) return true
  return exchange.resourceType === 'FETCH' && (exchange.bodyBytes ?? MOST_KEEPALIVE_BYTES) <= MOST_KEEPALIVE_BYTES
}

/** The same for one that was to deliver something; a fetch that only asks for something is of no use without its page. */
export function mayBeDelivered(exchange: Exchange): boolean {
  const { method } = exchange
  return isPing(exchange) || (mayOutlivePage(exchange) && method !== 'GET' && method !== 'HEAD')
}

/**
 * How one ended of which nobody tells anything any more, since its page, frame or worker is gone. `mayGoOn`: without it. The
 * rest of a response may have come as well, where the request was to deliver something.
 */
export function abandoned(exchange: Exchange, failure: string, mayGoOn = mayOutlivePage(exchange)): Outcome {
  const { response } = exchange
  const isComplete = response !== null && isWhole(exchange, response)
  const isUnknown = !isComplete && mayGoOn && (response === null || mayBeDelivered(exchange))
  return { failure: isComplete || isUnknown ? null : failure, isUnknown, endTimestamp: null, encodedBytes: null }
}

/**
 * Whether all of a response came, as far as can be told. A page that closes itself, as the last of a sign-in does, ends
 * before the browser says that its document has ended.
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
