import type { Entry, PostData, QueryString, Response } from 'har-format'
import type { BodyData, BodyOmission } from '../../contract/entries/body.ts'
import type { NetworkTiming } from '../../contract/entries/network-request.ts'
import type { EntryData } from '../../ports/log-entry.ts'
import { sentCookies, setCookies } from './har-cookies.ts'
import { HarHeaders } from './har-headers.ts'
import { harInitiatorOf, type HarInitiator } from './har-initiator.ts'
import { LatestText } from './latest-text.ts'
import { isTextBody } from './stored-bodies.ts'

/** Facts that entries written by earlier versions lack. */
interface LaterFacts {
  statusText: string | null
  servedBy: string | null
  mimeType: string | null
  protocol: string | null
  priority: string | null
  initiator: {
    type: string
    url: string | null
    line: number | null
    column: number | null
    stack: string | null
  } | null
}
type Headers = Readonly<Record<string, string>>
type Settled = EntryData['NETWORK_REQUEST'] & Partial<LaterFacts>

/** Bodies of a request as text or base64; null if there is none, or if it can no longer be read. */
export interface BodyTexts {
  request: string | null
  response: string | null
}

/** Members that DevTools and Playwright add to the format. */
interface Omitted {
  _bodyOmitted?: BodyOmission
}
interface HarText extends Omitted {
  text?: string
  encoding?: 'base64'
  comment?: string
}
export interface HarRequest extends Entry {
  response: Response & {
    content: Response['content'] & Omitted
    _failureText?: string
    _error?: string
    _fetchedViaServiceWorker?: boolean
    _transferSize?: number
  }
  _serverPort?: number
  _initiator?: HarInitiator
}

const OMISSIONS: Record<BodyOmission | 'EXPIRED', string> = {
  NOT_CAPTURED: 'the session does not record bodies of this kind',
  TOO_LARGE: 'it is larger than what is recorded',
  STREAMING: 'it had not ended when the session did',
  OPAQUE: 'the browser does not hand it out',
  QUOTA: 'the quota of the owner was used up',
  LATE: 'the browser or the store took too long',
  STORE_FAILED: 'it could not be stored, or its bytes cannot be read',
  NOT_RECORDED: 'the server did not record bodies yet',
  EXPIRED: 'its retention has ended',
}

/** `-1` means unknown in HAR. */
export const UNKNOWN = -1

/**
 * Writes logged requests as HAR entries, in JSON. Requests of one page share most of what they say, so the texts of one
 * are reused for the next where it says the same; the others are written member by member, without objects that are
 * only made to be serialized.
 */
export class HarRequests {
  readonly #sent = new HarHeaders()
  readonly #received = new HarHeaders()
  readonly #circumstances = new LatestText()

  /** `pageref` is omitted if the page is null. */
  textOf(request: Settled, pageId: string | null, bodies: BodyTexts): string {
    const { startedAt, durationMs } = request
    return (
      `{${pageId === null ? '' : `"pageref":${JSON.stringify(pageId)},`}` +
      `"startedDateTime":"${new Date(startedAt).toISOString()}","time":${durationMs},"cache":{},` +
      `"timings":${timingsOf(request)},${this.#circumstancesOf(request)},` +
      `"request":${this.#sentText(request, bodies.request)},` +
      `"response":${this.#receivedText(request, bodies.response)}}`
    )
  }

  #sentText(request: Settled, body: string | null): string {
    const { method, url, requestHeaders } = request
    const postData = postDataOf(request, body)
    return (
      `{"method":${JSON.stringify(method)},"url":${JSON.stringify(url)},"httpVersion":${httpVersionOf(request)},` +
      `"cookies":${listOf(sentCookies(requestHeaders))},"queryString":${listOf(queryOf(url))},` +
      (postData ? `"postData":${JSON.stringify(postData)},` : '') +
      `"headersSize":${UNKNOWN},"bodySize":${request.requestBytes ?? UNKNOWN},"headers":${this.#sent.textOf(requestHeaders)}}`
    )
  }

  #receivedText(request: Settled, body: string | null): string {
    const { status, failure, servedBy } = request
    const headers = request.responseHeaders ?? {}
    const bytes = networkBytesOf(request)
    const redirect = redirectOf(request, headers)
    return (
      `{"status":${status ?? UNKNOWN},"statusText":${statusTextOf(request)},` +
      `"httpVersion":${httpVersionOf(request)},"cookies":${listOf(setCookies(headers))},` +
      `"content":${contentOf(request, headers, body)},"redirectURL":${redirect === '' ? '""' : JSON.stringify(redirect)},` +
      `"headersSize":${UNKNOWN},"bodySize":${bytes},` +
      // Otherwise DevTools adds the two above, unknown or not.
      (bytes > 0 ? `"_transferSize":${bytes},` : '') +
      (failure === null ? '' : failureText(failure)) +
      (servedBy === 'SERVICE_WORKER' ? '"_fetchedViaServiceWorker":true,' : '') +
      `"headers":${this.#received.textOf(headers)}}`
    )
  }

  /** Members that differ by origin and caller only. */
  #circumstancesOf(request: Settled): string {
    const { remoteAddress, servedBy, priority, resourceType, initiator } = request
    const { type, url, line, column, stack } = initiator ?? {}
    const given = [remoteAddress, servedBy, priority, resourceType, type, url, line, column, stack]
    return this.#circumstances.textOf(given, () => {
      const { ip, port } = peerOf(remoteAddress)
      const members: Partial<HarRequest> = {
        serverIPAddress: ip,
        // Playwright's name, then the member that DevTools reads: without it, the port is 80.
        _serverPort: port,
        connection: port?.toString(),
        _fromCache: cacheOf(request),
        _initiator: harInitiatorOf(initiator),
        _priority: priorityOf(request),
        _resourceType: resourceTypeOf(request) as HarRequest['_resourceType'],
      }
      return JSON.stringify(members).slice(1, -1)
    })
  }
}

/** With DevTools' name for preflights. */
const resourceTypeOf = ({ resourceType, initiator }: Settled) =>
  initiator?.type === 'PREFLIGHT' ? 'preflight' : resourceType.toLowerCase()

/** Bytes of a body that the network delivered: none of a response of a cache or service worker. */
function networkBytesOf({ responseBytes, servedBy }: Settled): number {
  const isLocal = servedBy !== null && servedBy !== undefined && servedBy !== 'NETWORK'
  return isLocal ? 0 : (responseBytes ?? UNKNOWN)
}

/** As JSON. Where there is no status, the failure: DevTools shows it beside the -1 that Playwright needs there. */
function statusTextOf({ status, statusText, failure }: Settled): string {
  return JSON.stringify((status === null ? failure : statusText) ?? '')
}

const listOf = (items: readonly object[]) => (items.length === 0 ? '[]' : JSON.stringify(items))

/** Playwright's name, then that of DevTools. */
function failureText(failure: string): string {
  const text = JSON.stringify(failure)
  return `"_failureText":${text},"_error":${text},`
}

export function queryOf(url: string): QueryString[] {
  if (!url.includes('?')) return []
  return [...(URL.parse(url)?.searchParams ?? [])].map(([name, value]) => ({ name, value }))
}

function contentOf(request: Settled, headers: Headers, text: string | null): string {
  const { responseBody: body, responseBytes } = request
  const size = body?.sizeBytes ?? responseBytes ?? UNKNOWN
  const bytes = networkBytesOf(request)
  const compressed = body && bytes > 0 ? body.sizeBytes - bytes : 0
  const mimeType = firstOf(headers['content-type']) ?? body?.contentType ?? request.mimeType ?? 'x-unknown'
  const rest = JSON.stringify(textOf(body, request.responseBodyOmitted, text)).slice(1)
  return (
    `{"size":${size},${compressed > 0 ? `"compression":${compressed},` : ''}` +
    `"mimeType":${JSON.stringify(mimeType)}${rest === '}' ? '' : ','}${rest}`
  )
}

function postDataOf(request: Settled, text: string | null): PostData | undefined {
  const { requestBody: body, requestBodyOmitted: omitted, requestBytes } = request
  if (!body && (omitted === null || requestBytes === 0)) return undefined
  const mimeType = body?.contentType ?? request.requestHeaders['content-type'] ?? 'application/octet-stream'
  // The format allows either text or parameters; readers also understand the encoding defined for responses.
  const postData = { mimeType, text: '', ...textOf(body, omitted, text) }
  return postData
}

/** Text of a body, or the reason why it is missing. */
function textOf(body: BodyData | null, omitted: BodyOmission | null, text: string | null): HarText {
  if (body && text !== null) {
    return {
      text,
      encoding: isTextBody(body) ? undefined : 'base64',
      comment: body.truncated > 0 ? cutComment(body) : undefined,
    }
  }
  const reason = body ? 'STORE_FAILED' : omitted
  return reason === null ? {} : { comment: `Body omitted: ${OMISSIONS[reason]}.`, _bodyOmitted: reason }
}

const cutComment = ({ sizeBytes, truncated }: BodyData) =>
  `The first ${sizeBytes - truncated} of ${sizeBytes} bytes: the rest is not recorded.`

/** As JSON, spelled as in DevTools and Playwright. */
function httpVersionOf({ protocol }: Settled): string {
  if (!protocol) return '"unknown"'
  if (protocol === 'http/1.1') return '"HTTP/1.1"'
  return protocol === 'h2' ? '"HTTP/2.0"' : JSON.stringify(protocol.toUpperCase().replace(/^H3$/, 'HTTP/3.0'))
}

function cacheOf({ servedBy }: Settled): Entry['_fromCache'] {
  if (servedBy === 'MEMORY_CACHE') return 'memory'
  return servedBy === 'DISK_CACHE' || servedBy === 'PREFETCH' ? 'disk' : undefined
}

const PRIORITIES: Readonly<Record<string, NonNullable<Entry['_priority']>>> = {
  VERY_LOW: 'VeryLow',
  LOW: 'Low',
  MEDIUM: 'Medium',
  HIGH: 'High',
  VERY_HIGH: 'VeryHigh',
}

const priorityOf = ({ priority }: Settled) => (priority ? PRIORITIES[priority] : undefined)

function redirectOf({ status, url }: Settled, headers: Headers): string {
  if (status === null || status < 300 || status > 399) return ''
  const location = firstOf(headers['location'])
  return location === undefined ? '' : (URL.parse(location, url)?.href ?? location)
}

/** The format requires a number for each of the last three, and a sum of all phases equal to the total time. */
function timingsOf({ timing, durationMs }: Settled): string {
  const { queuedMs, dnsMs, connectMs, tlsMs, waitingMs, downloadMs } = timing ?? NO_PHASES
  return (
    `{"blocked":${queuedMs ?? UNKNOWN},"dns":${dnsMs ?? UNKNOWN},"connect":${connectMs ?? UNKNOWN},"ssl":${tlsMs ?? UNKNOWN},` +
    `"send":0,"wait":${timing ? (waitingMs ?? 0) : durationMs},"receive":${downloadMs ?? 0}}`
  )
}

const NO_PHASES: NetworkTiming = {
  queuedMs: null,
  dnsMs: null,
  connectMs: null,
  tlsMs: null,
  waitingMs: null,
  downloadMs: null,
}

/** Parses 192.0.2.1:443 and [2001:db8::1]:443. */
function peerOf(remoteAddress: string | null): { ip?: string; port?: number } {
  if (remoteAddress === null) return {}
  const end = remoteAddress.lastIndexOf(':')
  const ip = remoteAddress.slice(0, end)
  return { ip: ip.startsWith('[') ? ip.slice(1, -1) : ip, port: Number(remoteAddress.slice(end + 1)) }
}

const firstOf = (values: string | undefined) => values?.split('\n', 1)[0]
