import type { Entry, QueryString, Response } from 'har-format'
import type { BodyOmission } from '../../contract/entries/body.ts'
import type { RequestInitiator } from '../../contract/entries/network-request.ts'
import type { BodyTexts, RequestTexts } from '../../contract/entries/request-texts.ts'
import { firstOf, HarHeaders, type HeaderTexts } from './har-headers.ts'
import { harInitiatorOf, type HarInitiator } from './har-initiator.ts'
import { LatestText } from './latest-text.ts'

/** Bodies of a request as JSON, text or base64; null if there is none, or if it can no longer be read. */
export interface ReadBodies {
  request: string | null
  response: string | null
}

/** Members that DevTools and Playwright add to the format. */
interface Omitted {
  _bodyOmitted?: BodyOmission
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
 * Writes logged requests as HAR entries, in JSON. Most members are JSON already and written as they are; requests of one
 * page share most of the others, so the texts of one are reused for the next where it says the same.
 */
export class HarRequests {
  readonly #sent = HarHeaders.ofRequests()
  readonly #received = HarHeaders.ofResponses()
  readonly #circumstances = new LatestText()
  readonly #httpVersion = new LatestText()

  /** `pageref` is omitted if it has none: `hasPage`. */
  textOf(request: RequestTexts, hasPage: boolean, bodies: ReadBodies): string {
    const { pageId, startedAt, durationMs, protocol } = request
    const httpVersion = this.#httpVersion.textOf([protocol], () => httpVersionOf(protocol))
    return (
      `{${hasPage ? `"pageref":${pageId},` : ''}` +
      `"startedDateTime":"${new Date(startedAt).toISOString()}","time":${durationMs},"cache":{},` +
      `"timings":${timingsOf(request)},${this.#circumstancesOf(request)},` +
      `"request":${this.#sentText(request, httpVersion, bodies.request)},` +
      `"response":${this.#receivedText(request, httpVersion, bodies.response)}}`
    )
  }

  #sentText(request: RequestTexts, httpVersion: string, body: string | null): string {
    const { method, url, requestBytes } = request
    const headers = this.#sent.read(request.requestHeaders)
    return (
      `{"method":${method},"url":${url},"httpVersion":${httpVersion},` +
      `"cookies":${headers.cookies},"queryString":${queryText(url)},${postDataOf(request, headers, body)}` +
      `"headersSize":${UNKNOWN},"bodySize":${known(requestBytes)},"headers":${headers.list}}`
    )
  }

  #receivedText(request: RequestTexts, httpVersion: string, body: string | null): string {
    const { status, failure, servedBy } = request
    const bytes = networkBytesOf(request)
    const headers = this.#received.read(request.responseHeaders)
    return (
      `{"status":${known(status)},"statusText":${statusTextOf(request)},` +
      `"httpVersion":${httpVersion},"cookies":${headers.cookies},` +
      `"content":${contentOf(request, headers, body)},"redirectURL":${redirectOf(request, headers)},` +
      `"headersSize":${UNKNOWN},"bodySize":${bytes},` +
      // Otherwise DevTools adds the two above, unknown or not.
      (bytes > 0 ? `"_transferSize":${bytes},` : '') +
      // Playwright's name, then that of DevTools.
      (failure === 'null' ? '' : `"_failureText":${failure},"_error":${failure},`) +
      (servedBy === '"SERVICE_WORKER"' ? '"_fetchedViaServiceWorker":true,' : '') +
      `"headers":${headers.list}}`
    )
  }

  /** Members that differ by origin and caller only. */
  #circumstancesOf({ remoteAddress, servedBy, priority, resourceType, initiator }: RequestTexts): string {
    return this.#circumstances.textOf([remoteAddress, servedBy, priority, resourceType, initiator], () => {
      const { ip, port } = peerOf(JSON.parse(remoteAddress) as string | null)
      const initiatedBy = JSON.parse(initiator) as RequestInitiator | null
      const members: Partial<HarRequest> = {
        serverIPAddress: ip,
        // Playwright's name, then the member that DevTools reads: without it, the port is 80.
        _serverPort: port,
        connection: port?.toString(),
        _fromCache: cacheOf(servedBy),
        _initiator: harInitiatorOf(initiatedBy),
        _priority: PRIORITIES[priority],
        _resourceType: resourceTypeOf(JSON.parse(resourceType) as string, initiatedBy),
      }
      return JSON.stringify(members).slice(1, -1)
    })
  }
}

/** With DevTools' name for preflights. */
const resourceTypeOf = (resourceType: string, initiator: RequestInitiator | null) =>
  (initiator?.type === 'PREFLIGHT' ? 'preflight' : resourceType.toLowerCase()) as HarRequest['_resourceType']

/** Bytes of a body that the network delivered: none of a response of a cache or service worker. */
function networkBytesOf({ responseBytes, servedBy }: RequestTexts): number {
  const isLocal = servedBy !== 'null' && servedBy !== '"NETWORK"'
  return isLocal ? 0 : Number(known(responseBytes))
}

/** As JSON. Where there is no status, the failure: DevTools shows it beside the -1 that Playwright needs there. */
function statusTextOf({ status, statusText, failure }: RequestTexts): string {
  const text = status === 'null' ? failure : statusText
  return text === 'null' ? '""' : text
}

const known = (number: string) => (number === 'null' ? UNKNOWN : number)

export function queryOf(url: string): QueryString[] {
  if (!url.includes('?')) return []
  return [...(URL.parse(url)?.searchParams ?? [])].map(([name, value]) => ({ name, value }))
}

const queryText = (url: string) => (url.includes('?') ? JSON.stringify(queryOf(JSON.parse(url) as string)) : '[]')

function contentOf(request: RequestTexts, headers: HeaderTexts, text: string | null): string {
  const { responseBody: body, responseBytes, mimeType } = request
  const size = body?.sizeBytes ?? known(responseBytes)
  const bytes = networkBytesOf(request)
  const compressed = body && bytes > 0 ? Number(body.sizeBytes) - bytes : 0
  const type = headers.contentType ?? orNone(body?.contentType) ?? orNone(mimeType) ?? '"x-unknown"'
  return (
    `{"size":${size},${compressed > 0 ? `"compression":${compressed},` : ''}` +
    `"mimeType":${type}${textOf(body, request.responseBodyOmitted, text)}}`
  )
}

/** With a comma at its end, or nothing. */
function postDataOf(request: RequestTexts, headers: HeaderTexts, text: string | null): string {
  const { requestBody: body, requestBodyOmitted: omitted, requestBytes } = request
  if (!body && (omitted === 'null' || requestBytes === '0')) return ''
  const type = orNone(body?.contentType) ?? jsonOf(headers.values['content-type']) ?? '"application/octet-stream"'
  // The format allows either text or parameters; readers also understand the encoding defined for responses.
  return `"postData":{"mimeType":${type}${body && text !== null ? '' : ',"text":""'}${textOf(body, omitted, text)}},`
}

const jsonOf = (value: string | undefined) => (value === undefined ? undefined : JSON.stringify(value))
const orNone = (text: string | undefined) => (text === 'null' ? undefined : text)

/** Text of a body, or the reason why it is missing: members that each have a comma before them. */
function textOf(body: BodyTexts | null, omitted: string, text: string | null): string {
  if (body && text !== null) {
    const encoding = body.encoding.endsWith('UTF8"') ? '' : ',"encoding":"base64"'
    return `,"text":${text}${encoding}${body.truncated === '0' ? '' : cutComment(body)}`
  }
  const reason = body ? 'STORE_FAILED' : (JSON.parse(omitted) as BodyOmission | null)
  if (reason === null) return ''
  return `,"comment":"Body omitted: ${OMISSIONS[reason]}.","_bodyOmitted":"${reason}"`
}

function cutComment({ sizeBytes, truncated }: BodyTexts): string {
  const kept = Number(sizeBytes) - Number(truncated)
  return `,"comment":"The first ${kept} of ${sizeBytes} bytes: the rest is not recorded."`
}

/** Spelled as in DevTools and Playwright. */
function httpVersionOf(protocol: string): string {
  if (protocol === 'null' || protocol === '""') return '"unknown"'
  if (protocol === '"http/1.1"') return '"HTTP/1.1"'
  if (protocol === '"h2"') return '"HTTP/2.0"'
  return JSON.stringify((JSON.parse(protocol) as string).toUpperCase().replace(/^H3$/, 'HTTP/3.0'))
}

function cacheOf(servedBy: string): Entry['_fromCache'] {
  if (servedBy === '"MEMORY_CACHE"') return 'memory'
  return servedBy === '"DISK_CACHE"' || servedBy === '"PREFETCH"' ? 'disk' : undefined
}

const PRIORITIES: Readonly<Record<string, NonNullable<Entry['_priority']>>> = {
  '"VERY_LOW"': 'VeryLow',
  '"LOW"': 'Low',
  '"MEDIUM"': 'Medium',
  '"HIGH"': 'High',
  '"VERY_HIGH"': 'VeryHigh',
}

/** As JSON. */
function redirectOf({ status, url }: RequestTexts, { values }: HeaderTexts): string {
  const location = status.length === 3 && status.startsWith('3') ? firstOf(values['location']) : undefined
  if (location === undefined) return '""'
  return JSON.stringify(URL.parse(location, JSON.parse(url) as string)?.href ?? location)
}

/** The format requires a number for each of the last three, and a sum of all phases equal to the total time. */
function timingsOf({ timing, durationMs }: RequestTexts): string {
  if (!timing) return `{"blocked":-1,"dns":-1,"connect":-1,"ssl":-1,"send":0,"wait":${durationMs},"receive":0}`
  const [queued, dns, connect, tls, waiting, download] = timing
  return (
    `{"blocked":${known(queued)},"dns":${known(dns)},"connect":${known(connect)},"ssl":${known(tls)},` +
    `"send":0,"wait":${orZero(waiting)},"receive":${orZero(download)}}`
  )
}

const orZero = (number: string) => (number === 'null' ? 0 : number)

/** Parses 192.0.2.1:443 and [2001:db8::1]:443. */
function peerOf(remoteAddress: string | null): { ip?: string; port?: number } {
  if (remoteAddress === null) return {}
  const end = remoteAddress.lastIndexOf(':')
  const ip = remoteAddress.slice(0, end)
  return { ip: ip.startsWith('[') ? ip.slice(1, -1) : ip, port: Number(remoteAddress.slice(end + 1)) }
}
