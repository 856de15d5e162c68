import type { Entry, Header, Initiator, PostData, QueryString, Response, Timings } from 'har-format'
import type { BodyData, BodyOmission } from '../../contract/entries/body.ts'
import type { EntryData } from '../../ports/log-entry.ts'
import { sentCookies, setCookies } from './har-cookies.ts'
import { isTextBody } from './stored-bodies.ts'

/** What entries of before this version do not say. */
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
type Settled = EntryData['NETWORK_REQUEST'] & Partial<LaterFacts>

/** The bodies of a request as text or base64; null: there is none, or it cannot be read anymore. */
export interface BodyTexts {
  request: string | null
  response: string | null
}

/** Members that DevTools and Playwright have beyond the format. */
interface Omitted {
  _bodyOmitted?: BodyOmission
}
interface HarText extends Omitted {
  text?: string
  encoding?: 'base64'
  comment?: string
}
interface HarInitiator extends Initiator {
  columnNumber?: number
  stack?: { description: string; callFrames: [] }
}
export interface HarRequest extends Entry {
  response: Response & {
    content: Response['content'] & Omitted
    _failureText?: string
    _error?: string
    _fetchedViaServiceWorker?: boolean
  }
  _serverPort?: number
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

/** `-1` is how the format says that something is not known. */
export const UNKNOWN = -1

/** A request of the log as an entry of a HAR. */
export function harRequest(request: Settled, bodies: BodyTexts): HarRequest {
  const { url, method, durationMs, failure, pageId } = request
  const sent = headersOf(request.requestHeaders)
  const received = headersOf(request.responseHeaders ?? {})
  const httpVersion = httpVersionOf(request)
  return {
    ...(pageId === null ? {} : { pageref: pageId }),
    startedDateTime: new Date(request.startedAt).toISOString(),
    time: durationMs,
    request: {
      method,
      url,
      httpVersion,
      cookies: sentCookies(sent),
      headers: sent,
      queryString: queryOf(url),
      ...postDataOf(request, bodies.request),
      headersSize: UNKNOWN,
      bodySize: request.requestBytes ?? UNKNOWN,
    },
    response: {
      status: request.status ?? UNKNOWN,
      statusText: request.statusText ?? '',
      httpVersion,
      cookies: setCookies(received),
      headers: received,
      content: contentOf(request, received, bodies.response),
      redirectURL: redirectOf(request, received),
      headersSize: UNKNOWN,
      bodySize: request.responseBytes ?? UNKNOWN,
      // Playwright's name and that of DevTools.
      ...(failure === null ? {} : { _failureText: failure, _error: failure }),
      ...(request.servedBy === 'SERVICE_WORKER' ? { _fetchedViaServiceWorker: true } : {}),
    },
    cache: {},
    timings: timingsOf(request),
    ...peerOf(request.remoteAddress),
    ...cacheOf(request),
    ...initiatorOf(request),
    ...priorityOf(request),
    _resourceType: request.resourceType.toLowerCase() as NonNullable<Entry['_resourceType']>,
  }
}

/** Several values of one name are joined by line breaks in the log. */
export function headersOf(headers: Record<string, string>): Header[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value.includes('\n') ? value.split('\n').map((one) => ({ name, value: one })) : [{ name, value }],
  )
}

export function queryOf(url: string): QueryString[] {
  if (!url.includes('?')) return []
  return [...(URL.parse(url)?.searchParams ?? [])].map(([name, value]) => ({ name, value }))
}

function contentOf(request: Settled, headers: readonly Header[], text: string | null) {
  const { responseBody: body, responseBytes } = request
  const size = body?.sizeBytes ?? responseBytes ?? UNKNOWN
  const compressed = body && responseBytes !== null ? body.sizeBytes - responseBytes : 0
  return {
    size,
    ...(compressed > 0 ? { compression: compressed } : {}),
    mimeType: valueOf(headers, 'content-type') ?? body?.contentType ?? request.mimeType ?? 'x-unknown',
    ...textOf(body, request.responseBodyOmitted, text),
  }
}

function postDataOf(request: Settled, text: string | null): { postData?: PostData } {
  const { requestBody: body, requestBodyOmitted: omitted, requestBytes } = request
  if (!body && (omitted === null || requestBytes === 0)) return {}
  const mimeType = body?.contentType ?? request.requestHeaders['content-type'] ?? 'application/octet-stream'
  const postData = { mimeType, text: '', ...textOf(body, omitted, text) }
  // The format knows text or parameters, and readers the encoding that responses have.
  return { postData }
}

/** The text of a body, or why there is none. */
function textOf(body: BodyData | null, omitted: BodyOmission | null, text: string | null): HarText {
  if (body && text !== null) {
    return {
      text,
      ...(isTextBody(body) ? {} : ({ encoding: 'base64' } as const)),
      ...(body.truncated > 0 ? { comment: cutComment(body) } : {}),
    }
  }
  const reason = body ? 'STORE_FAILED' : omitted
  return reason === null ? {} : { comment: `Body omitted: ${OMISSIONS[reason]}.`, _bodyOmitted: reason }
}

const cutComment = ({ sizeBytes, truncated }: BodyData) =>
  `The first ${sizeBytes - truncated} of ${sizeBytes} bytes: the rest is not recorded.`

/** As DevTools and Playwright write it. */
function httpVersionOf({ protocol }: Settled): string {
  if (!protocol) return 'unknown'
  return protocol === 'h2' ? 'HTTP/2.0' : protocol.toUpperCase().replace(/^H3$/, 'HTTP/3.0')
}

function cacheOf({ servedBy }: Settled): Pick<Entry, '_fromCache'> {
  if (servedBy === 'MEMORY_CACHE') return { _fromCache: 'memory' }
  return servedBy === 'DISK_CACHE' || servedBy === 'PREFETCH' ? { _fromCache: 'disk' } : {}
}

/** As the browser's protocol has it: lines and columns from 0. */
function initiatorOf({ initiator }: Settled): { _initiator?: HarInitiator } {
  if (!initiator) return {}
  const { type, url, line, column, stack } = initiator
  return {
    _initiator: {
      type: INITIATORS[type] ?? type.toLowerCase(),
      ...(url === null ? {} : { url }),
      ...(line === null ? {} : { lineNumber: line - 1 }),
      ...(column === null ? {} : { columnNumber: column - 1 }),
      ...(stack === null ? {} : { stack: { description: stack, callFrames: [] } }),
    },
  }
}

const INITIATORS: Readonly<Record<string, string>> = { SIGNED_EXCHANGE: 'SignedExchange', FED_CM: 'FedCM' }

/** VERY_LOW is VeryLow there. */
function priorityOf({ priority }: Settled): Pick<Entry, '_priority'> {
  const words = priority?.toLowerCase().split('_')
  return words ? { _priority: words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('') } : {}
}

function redirectOf({ status, url }: Settled, headers: readonly Header[]): string {
  if (status === null || status < 300 || status > 399) return ''
  const location = valueOf(headers, 'location')
  return location === null ? '' : (URL.parse(location, url)?.href ?? location)
}

/** The format wants a number for each of the last three, and their sum with the others to be the whole time. */
function timingsOf({ timing, durationMs }: Settled): Timings {
  return {
    blocked: timing?.queuedMs ?? UNKNOWN,
    dns: timing?.dnsMs ?? UNKNOWN,
    connect: timing?.connectMs ?? UNKNOWN,
    ssl: timing?.tlsMs ?? UNKNOWN,
    send: 0,
    wait: timing ? (timing.waitingMs ?? 0) : durationMs,
    receive: timing?.downloadMs ?? 0,
  }
}

/** Of 192.0.2.1:443 and [2001:db8::1]:443. */
function peerOf(remoteAddress: string | null): { serverIPAddress?: string; _serverPort?: number } {
  if (remoteAddress === null) return {}
  const end = remoteAddress.lastIndexOf(':')
  return {
    serverIPAddress: remoteAddress.slice(0, end).replace(/^\[|\]$/g, ''),
    _serverPort: Number(remoteAddress.slice(end + 1)),
  }
}

const valueOf = (headers: readonly Header[], wanted: string): string | null =>
  headers.find(({ name }) => name === wanted)?.value ?? null
