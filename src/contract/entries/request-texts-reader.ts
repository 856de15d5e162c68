import { BODY_OMISSIONS } from './body.ts'
import {
  INITIATOR_TYPES,
  REQUEST_OUTCOMES,
  REQUEST_PRIORITIES,
  RESOURCE_TYPES,
  RESPONSE_SOURCES,
  SAME_SITE_MODES,
} from './network-request.ts'
import type { BodyTexts, RequestTexts } from './request-texts.ts'

/** Longer contents are parsed. */
const MAX_LENGTH = 128 * 1024

// What is matched is JSON: the database accepts nothing else. The patterns accept less than the schemas, never more.
const TEXT = String.raw`"[^"\\]*(?:\\.[^"\\]*)*"`
const INT = String.raw`-?\d{1,9}`
const SAFE_INT = String.raw`-?\d{1,15}`
const TRUTH = '(?:true|false)'
const decimal = (digits: number) => String.raw`-?\d{1,${digits}}(?:\.\d{1,20})?`
const orNull = (pattern: string) => `(?:${pattern}|null)`
const oneOf = (values: readonly string[]) => `"(?:${values.join('|')})"`
const object = (...members: [name: string, pattern: string][]) => String.raw`\{${membersOf(members)}\}`
const membersOf = (members: [name: string, pattern: string][]) =>
  members.map(([name, pattern]) => `"${name}":${pattern}`).join(',')
const list = (pattern: string) => String.raw`\[(?:${pattern}(?:,${pattern})*)?\]`
const captured = (pattern: string) => `(${pattern})`

const HEADERS = String.raw`\{(?:${TEXT}:${TEXT}(?:,${TEXT}:${TEXT})*)?\}`
const FRAME = object(['frameId', TEXT], ['url', TEXT])
const INITIATOR = object(
  ['type', oneOf(INITIATOR_TYPES)],
  ['url', orNull(TEXT)],
  ['line', orNull(INT)],
  ['column', orNull(INT)],
  ['stack', orNull(TEXT)],
  ['requestId', orNull(INT)],
)
const COOKIE = object(
  ['name', TEXT],
  ['value', TEXT],
  ['domain', orNull(TEXT)],
  ['path', orNull(TEXT)],
  ['expiresAt', orNull(decimal(15))],
  ['httpOnly', TRUTH],
  ['secure', TRUTH],
  ['sameSite', orNull(oneOf(SAME_SITE_MODES))],
  ['blockedReasons', list(TEXT)],
  ['exemptionReason', orNull(TEXT)],
)
const phase = captured(orNull(decimal(15)))
const TIMING = object(
  ['queuedMs', phase],
  ['dnsMs', phase],
  ['connectMs', phase],
  ['tlsMs', phase],
  ['waitingMs', phase],
  ['downloadMs', phase],
)
/** One that is stored in the entry, and not encrypted. */
const BODY = object(
  ['contentType', captured(orNull(TEXT))],
  ['sizeBytes', captured(SAFE_INT)],
  ['truncated', captured(SAFE_INT)],
  ['sha256', 'null'],
  ['encoding', captured(oneOf(['UTF8', 'BASE64']))],
  ['inline', captured(TEXT)],
)

const FACTS = new RegExp(
  String.raw`\{` +
    membersOf([
      ['requestId', captured(INT)],
      ['startedAt', captured(decimal(15))],
      ['url', captured(TEXT)],
      ['method', captured(TEXT)],
      ['resourceType', captured(oneOf(RESOURCE_TYPES))],
      ['status', captured(orNull(INT))],
      ['statusText', captured(orNull(TEXT))],
      ['outcome', oneOf(REQUEST_OUTCOMES)],
      ['failure', captured(orNull(TEXT))],
      ['durationMs', captured(decimal(9))],
      ['requestBytes', captured(orNull(SAFE_INT))],
      ['responseBytes', captured(orNull(SAFE_INT))],
      ['fromCache', TRUTH],
      ['servedBy', captured(orNull(oneOf(RESPONSE_SOURCES)))],
      ['mimeType', captured(orNull(TEXT))],
      ['protocol', captured(orNull(TEXT))],
      ['priority', captured(orNull(oneOf(REQUEST_PRIORITIES)))],
      ['isNavigation', TRUTH],
    ]),
  'y',
)
const SENT = membersOf([
  ['frame', orNull(FRAME)],
  ['initiator', captured(orNull(INITIATOR))],
  ['redirectedFrom', orNull(TEXT)],
  ['requestHeaders', captured(HEADERS)],
])
const RECEIVED = membersOf([['responseHeaders', captured(orNull(HEADERS))]])
const REST = new RegExp(
  `,${membersOf([
    ['cookiesSent', orNull(list(COOKIE))],
    ['cookiesSet', orNull(list(COOKIE))],
    ['cookiesOmitted', INT],
    ['timing', orNull(TIMING)],
    ['remoteAddress', captured(orNull(TEXT))],
    ['requestBody', orNull(BODY)],
    ['requestBodyOmitted', captured(orNull(oneOf(BODY_OMISSIONS)))],
    ['responseBody', orNull(BODY)],
    ['responseBodyOmitted', captured(orNull(oneOf(BODY_OMISSIONS)))],
    ['pageId', captured(orNull(TEXT))],
  ])}` + String.raw`\}$`,
  'y',
)

/**
 * Reads the stored contents of requests, one after the other, without parsing them. Most are written as JSON again, and
 * most of their text, frames, initiators and headers, is that of the request before.
 */
export class RequestTextsReader {
  readonly #sent = new RepeatedPart(SENT)
  readonly #received = new RepeatedPart(RECEIVED)

  /**
   * The texts of a content of the current version that a schema would accept. Null: it must be parsed, since a body is
   * stored separately, or it is written otherwise than this server writes it.
   */
  read(content: string): RequestTexts | null {
    if (content.length > MAX_LENGTH) return null
    FACTS.lastIndex = 0
    const facts = FACTS.exec(content)
    if (!facts) return null
    const received = this.#sent.endIn(content, FACTS.lastIndex)
    const rest = received === null ? null : this.#received.endIn(content, received)
    if (rest === null) return null
    REST.lastIndex = rest
    const end = REST.exec(content)
    return end && textsOf(facts, this.#sent.captures, this.#received.captures, end)
  }
}

/** Members that often are the same as those of the request before. */
class RepeatedPart {
  readonly #pattern: RegExp
  #text: string | null = null
  captures: readonly string[] = []

  constructor(members: string) {
    this.#pattern = new RegExp(`,${members}`, 'y')
  }

  /** Where the members end that begin there; null: there are others. */
  endIn(content: string, start: number): number | null {
    // Followed by a comma: a longer text may begin like it.
    if (this.#text !== null && content.startsWith(this.#text, start)) return start + this.#text.length - 1
    this.#pattern.lastIndex = start
    const found = this.#pattern.exec(content)
    if (!found) return null
    this.#text = `${found[0]},`
    this.captures = found.slice(1)
    return start + found[0].length
  }
}

function textsOf(
  [
    ,
    requestId,
    startedAt,
    url,
    method,
    resourceType,
    status,
    statusText,
    failure,
    durationMs,
    ...sizes
  ]: RegExpExecArray,
  [initiator, requestHeaders]: readonly string[],
  [responseHeaders]: readonly string[],
  rest: RegExpExecArray,
): RequestTexts {
  const [requestBytes, responseBytes, servedBy, mimeType, protocol, priority] = sizes
  return {
    requestId: Number(requestId),
    startedAt: Number(startedAt),
    url: url!,
    method: method!,
    resourceType: resourceType!,
    status: status!,
    statusText: statusText!,
    failure: failure!,
    durationMs: durationMs!,
    requestBytes: requestBytes!,
    responseBytes: responseBytes!,
    servedBy: servedBy!,
    mimeType: mimeType!,
    protocol: protocol!,
    priority: priority!,
    initiator: initiator!,
    requestHeaders: requestHeaders!,
    responseHeaders: responseHeaders!,
    timing: rest[1] === undefined ? null : [rest[1], rest[2]!, rest[3]!, rest[4]!, rest[5]!, rest[6]!],
    remoteAddress: rest[7]!,
    requestBody: bodyOf(rest, 8),
    requestBodyOmitted: rest[13]!,
    responseBody: bodyOf(rest, 14),
    responseBodyOmitted: rest[19]!,
    pageId: rest[20]!,
  }
}

/** `first`: the number of its first capture. */
function bodyOf(captures: RegExpExecArray, first: number): BodyTexts | null {
  const contentType = captures[first]
  if (contentType === undefined) return null
  return {
    contentType,
    sizeBytes: captures[first + 1]!,
    truncated: captures[first + 2]!,
    encoding: captures[first + 3]!,
    inline: captures[first + 4]!,
  }
}
