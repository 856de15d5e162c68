import { z } from 'zod'
import { lengthWithin, ruled, wholeNumberWithin, type Check } from '../../../contract/input/input-field.ts'
import { isDeeperThan } from '../../../contract/input/json-depth.ts'
import { RECORDING_KINDS } from '../../../ports/artifacts/artifact.ts'
import type { Json } from '../../../ports/base/json.ts'
import { INITIAL_PROMPT_RULE, refuseInitialPrompt } from './initial-prompt.ts'

/** In the clients' notation. */
export const LONGEST_PROFILE_ID = 500

const LIMITS = {
  idempotencyKey: 200,
  name: 200,
  metadataBytes: 16_384,
  metadataDepth: 8,
  viewport: { min: 50, max: 7680 },
  userAgent: 1000,
  locale: 100,
  timezone: 100,
  headers: 64,
  headerName: 200,
  headerValue: 8000,
  idleTimeoutSeconds: 1800,
  maxDurationSeconds: 86_400,
  initialPrompt: 8000,
} as const

/** The rules in words, in one place: the schema uses them in its descriptions, and the checks below implement them. */
export const SESSION_INPUT_RULES = {
  idempotencyKey: `1 to ${LIMITS.idempotencyKey} printable ASCII characters.`,
  name: `1 to ${LIMITS.name} characters, none of them a control character.`,
  metadata: `A JSON object of at most ${LIMITS.metadataBytes} bytes as JSON and ${LIMITS.metadataDepth} levels, without U+0000 or lone surrogates.`,
  viewport: `Width and height from ${LIMITS.viewport.min} to ${LIMITS.viewport.max} CSS pixels.`,
  userAgent: `1 to ${LIMITS.userAgent} printable ASCII characters.`,
  locale: 'A BCP 47 language tag that is known, such as "de-CH".',
  timezone: 'A name of the IANA time zone database, such as "Europe/Zurich".',
  extraHeaders: `A JSON object of at most ${LIMITS.headers} header names (RFC 9110 tokens of at most ${LIMITS.headerName} characters, each once regardless of case, none that the browser must set itself, such as Host or Content-Length) with string values of at most ${LIMITS.headerValue} visible ASCII characters, spaces and tabs.`,
  idleTimeoutSeconds: `From 1 to ${LIMITS.idleTimeoutSeconds} (30 minutes).`,
  maxDurationSeconds: `From 1 to ${LIMITS.maxDurationSeconds} (24 hours).`,
  initialPrompt: `1 to ${LIMITS.initialPrompt} characters, without U+0000 or lone surrogates. ${INITIAL_PROMPT_RULE} Only http:// and https:// URLs are opened; cloud metadata and link-local addresses are refused, and what the egress of the session does not allow.`,
} as const

/** Headers that the browser controls itself; setting them breaks requests or enables request smuggling. */
const BROWSER_OWN_HEADERS = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'keep-alive',
  'te',
  'trailer',
  'expect',
  'cookie2',
  // Measured: Chromium fails every request with net::ERR_INVALID_ARGUMENT.
  'set-cookie',
  'set-cookie2',
])

const matches =
  (pattern: RegExp, message: string, code = 'INVALID_FORMAT'): Check<string> =>
  (value) =>
    pattern.test(value) ? null : { code, message }

const noControls: Check<string> = (value) =>
  // A lone surrogate or control character in a name would be displayed incorrectly everywhere.
  /\p{Cc}/u.test(value) || !value.isWellFormed()
    ? { code: 'INVALID_FORMAT', message: 'must not hold control characters or lone surrogates' }
    : null

const isKnownLocale: Check<string> = (value) => {
  // Already rejected for its length, and Intl takes seconds for a megabyte.
  if (value.length > LIMITS.locale) return null
  try {
    if (Intl.DateTimeFormat.supportedLocalesOf(value).length > 0) return null
  } catch {
    // Not a language tag at all: the same result.
  }
  return { code: 'UNKNOWN_VALUE', message: 'must be a known BCP 47 language tag, such as "de-CH"' }
}

const isKnownTimezone: Check<string> = (value) =>
  canonicalTimezone(value) !== null
    ? null
    : { code: 'UNKNOWN_VALUE', message: 'must be a known IANA time zone, such as "Europe/Zurich"' }

const isInitialPrompt: Check<string> = (value) => {
  if (value.trim() === '') return { code: 'TOO_SHORT', message: 'must not be empty' }
  if (!value.isWellFormed() || value.includes('\0')) {
    return { code: 'INVALID_FORMAT', message: 'must not hold U+0000 or lone surrogates' }
  }
  const reason = refuseInitialPrompt(value)
  return reason === null ? null : { code: 'FORBIDDEN_VALUE', message: reason }
}

const areDistinct: Check<readonly string[]> = (value) =>
  new Set(value).size === value.length ? null : { code: 'CONFLICT', message: 'must name each kind once' }

/**
 * The zone's name in the spelling of the time zone database, or null if it does not exist. Browsers receive this
 * spelling (measured: Chromium rejects "utc" and "europe/zurich", which Node accepts); pages see it in either case.
 */
export function canonicalTimezone(name: string): string | null {
  // Node also accepts offsets such as "+02:00", which browsers do not.
  if (!/^[A-Za-z]/.test(name) || name.length > LIMITS.timezone) return null
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return null
  }
}

const isStorableJson: Check<unknown> = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { code: 'INVALID_FORMAT', message: 'must be a JSON object' }
  }
  // First of all: JSON from a client may be nested so deeply that serializing it would overflow the stack.
  if (isDeeperThan(LIMITS.metadataDepth, value)) {
    return { code: 'TOO_LONG', message: `must nest at most ${LIMITS.metadataDepth} levels deep` }
  }
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > LIMITS.metadataBytes) {
    return { code: 'TOO_LONG', message: `must take at most ${LIMITS.metadataBytes} bytes as JSON; it takes ${bytes}` }
  }
  // JSON.stringify escapes a lone surrogate and U+0000: PostgreSQL rejects both (guarantee 9).
  return /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/.test(text)
    ? { code: 'INVALID_FORMAT', message: 'must not hold U+0000 or lone surrogates' }
    : null
}

const fewHeaders = ruled(z.unknown(), (value) =>
  typeof value === 'object' && value !== null && Object.keys(value).length > LIMITS.headers
    ? { code: 'TOO_LONG', message: `must have at most ${LIMITS.headers} headers` }
    : null,
)

/** Their number first: a million of them are not iterated. */
const headers = fewHeaders.pipe(z.record(z.string(), z.unknown())).superRefine((value, context) => {
  const refuse = (path: string[], code: string, message: string) =>
    context.addIssue({ code: 'custom', path, message, params: { code } })
  const seen = new Set<string>()
  for (const [name, content] of Object.entries(value)) {
    const lowerCase = name.toLowerCase()
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) || name.length > LIMITS.headerName) {
      refuse([name], 'INVALID_FORMAT', 'is not a header name')
    } else if (BROWSER_OWN_HEADERS.has(lowerCase) || /^(sec|proxy)-/.test(lowerCase)) {
      refuse([name], 'FORBIDDEN_VALUE', 'is set by the browser itself')
    }
    if (seen.has(lowerCase)) refuse([name], 'CONFLICT', 'is given twice')
    seen.add(lowerCase)
    if (typeof content !== 'string' || !/^[\t\x20-\x7e]*$/.test(content)) {
      refuse([name], 'INVALID_FORMAT', 'must be a string of visible ASCII characters, spaces and tabs')
    } else if (content.length > LIMITS.headerValue) {
      refuse([name], 'TOO_LONG', `must have at most ${LIMITS.headerValue} characters`)
    }
  }
})

const printable = /^[\x20-\x7e]+$/
const PRINTABLE = 'must be printable ASCII'
const text = (longest: number, ...checks: Check<string>[]) => ruled(z.string(), lengthWithin(1, longest), ...checks)
const side = ruled(z.number(), wholeNumberWithin(LIMITS.viewport.min, LIMITS.viewport.max))

/** The rules of the input members of a session, without the meaning of null and absence. */
export const SESSION_RULES = {
  idempotencyKey: text(LIMITS.idempotencyKey, matches(/^[\x20-\x7e]*$/, PRINTABLE)),
  name: text(LIMITS.name, noControls),
  metadata: ruled(z.any(), isStorableJson).transform((value) => value as { [key: string]: Json }),
  viewport: z.object({ width: side, height: side }),
  userAgent: text(LIMITS.userAgent, matches(printable, PRINTABLE)),
  locale: text(LIMITS.locale, isKnownLocale),
  timezone: ruled(z.string(), isKnownTimezone),
  extraHeaders: headers.transform((value) => value as Record<string, string>),
  idleTimeoutSeconds: ruled(z.number(), wholeNumberWithin(1, LIMITS.idleTimeoutSeconds)),
  maxDurationSeconds: ruled(z.number(), wholeNumberWithin(1, LIMITS.maxDurationSeconds)),
  initialPrompt: text(LIMITS.initialPrompt, isInitialPrompt),
  profileId: text(LONGEST_PROFILE_ID),
  record: ruled(z.array(z.enum(RECORDING_KINDS)), areDistinct),
} as const
