import { z } from 'zod'
import { bodies } from './body.ts'
import { headers, int, pageId, safeInt, time } from './members.ts'

/** Playwright's resource types in capitals (class Request, resourceType), with what it may add later under OTHER. */
export const RESOURCE_TYPES = [
  'DOCUMENT',
  'STYLESHEET',
  'IMAGE',
  'MEDIA',
  'FONT',
  'SCRIPT',
  'TEXTTRACK',
  'XHR',
  'FETCH',
  'EVENTSOURCE',
  'WEBSOCKET',
  'MANIFEST',
  'PING',
  'OTHER',
] as const
export type ResourceType = (typeof RESOURCE_TYPES)[number]

export const REQUEST_OUTCOMES = ['COMPLETED', 'FAILED', 'CANCELED', 'BLOCKED', 'CUT_BY_END', 'UNKNOWN'] as const
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number]

const RESPONSE_SOURCES = ['NETWORK', 'MEMORY_CACHE', 'DISK_CACHE', 'PREFETCH', 'SERVICE_WORKER'] as const
export type ResponseSource = (typeof RESPONSE_SOURCES)[number]

const REQUEST_PRIORITIES = ['VERY_LOW', 'LOW', 'MEDIUM', 'HIGH', 'VERY_HIGH'] as const
export type RequestPriority = (typeof REQUEST_PRIORITIES)[number]

const INITIATOR_TYPES = ['PARSER', 'SCRIPT', 'PRELOAD', 'PREFLIGHT', 'SIGNED_EXCHANGE', 'FED_CM', 'OTHER'] as const
export type InitiatorType = (typeof INITIATOR_TYPES)[number]

export const SAME_SITE_MODES = ['STRICT', 'LAX', 'NONE'] as const
export type SameSiteMode = (typeof SAME_SITE_MODES)[number]

/** Failures of requests that were pending when their session ended. */
export const CUT_FAILURES = ['session ended', 'the browser crashed'] as const
export type CutFailure = (typeof CUT_FAILURES)[number]

/**
 * What a failure says of the outcome: the first pattern that matches decides, FAILED where none does. The outcome of entries
 * that were stored before they had one is known by it. JavaScript and PostgreSQL read these patterns alike.
 */
export const OUTCOMES_OF_FAILURES: readonly (readonly [pattern: string, outcome: RequestOutcome])[] = [
  [`^(${CUT_FAILURES.join('|')})$`, 'CUT_BY_END'],
  [String.raw`^BLOCKED |\((blocked|CORS): |net::ERR_BLOCKED_BY_`, 'BLOCKED'],
  ['^(net::ERR_ABORTED|page closed|frame closed|worker ended)', 'CANCELED'],
]

const PATTERNS = OUTCOMES_OF_FAILURES.map(([pattern, outcome]) => [new RegExp(pattern), outcome] as const)

export function outcomeOfFailure(failure: string | null): RequestOutcome {
  if (failure === null) return 'COMPLETED'
  return PATTERNS.find(([pattern]) => pattern.test(failure))?.[1] ?? 'FAILED'
}

/** Milliseconds of a phase; null when it did not happen (a reused connection has no DNS look-up). */
const phase = z.number().nullable()

const networkTiming = z.object({
  /** From when it was asked for until the browser did the first of the others. */
  queuedMs: phase,
  dnsMs: phase,
  connectMs: phase,
  tlsMs: phase,
  /** From sending the request to the first byte of the response. */
  waitingMs: phase,
  downloadMs: phase,
})
export type NetworkTiming = z.output<typeof networkTiming>

/** What asked for the request. */
const initiator = z.object({
  type: z.enum(INITIATOR_TYPES),
  url: z.string().nullable(),
  /** 1-based. */
  line: int.nullable(),
  column: int.nullable(),
  stack: z.string().nullable(),
  /** Number of the request that caused this one: of a preflight, the request that it is for. */
  requestId: int.nullable(),
})
export type RequestInitiator = z.output<typeof initiator>

/** A cookie that was sent or set, or would have been but for the reasons that it was blocked. */
const requestCookie = z.object({
  name: z.string(),
  value: z.string(),
  domain: z.string().nullable(),
  path: z.string().nullable(),
  /** Null: with the browser. */
  expiresAt: time.nullable(),
  httpOnly: z.boolean(),
  secure: z.boolean(),
  sameSite: z.enum(SAME_SITE_MODES).nullable(),
  /** In the browser's words; empty: it was not blocked. */
  blockedReasons: z.array(z.string()),
  /** Why it was not blocked although a rule says so. */
  exemptionReason: z.string().nullable(),
})
export type RequestCookie = z.output<typeof requestCookie>

export const networkRequest = z.object({
  /** Number of the request within its session, given when it starts: a PendingRequest and its entry share it. */
  requestId: int,
  startedAt: time,
  url: z.string(),
  method: z.string(),
  resourceType: z.enum(RESOURCE_TYPES),
  status: int.nullable(),
  statusText: z.string().nullable(),
  outcome: z.enum(REQUEST_OUTCOMES),
  failure: z.string().nullable(),
  /** Shown as Int, rounded. */
  durationMs: z.number().min(-2_147_483_648).max(2_147_483_647),
  requestBytes: safeInt.nullable(),
  responseBytes: safeInt.nullable(),
  fromCache: z.boolean(),
  /** Null: nothing responded, or it is not known. */
  servedBy: z.enum(RESPONSE_SOURCES).nullable(),
  mimeType: z.string().nullable(),
  protocol: z.string().nullable(),
  priority: z.enum(REQUEST_PRIORITIES).nullable(),
  isNavigation: z.boolean(),
  /** The frame that asked; null for workers. */
  frame: z.object({ frameId: z.string(), url: z.string() }).nullable(),
  initiator: initiator.nullable(),
  /** URL of the request that was redirected here; each hop is a request of its own. */
  redirectedFrom: z.string().nullable(),
  requestHeaders: headers,
  responseHeaders: headers.nullable(),
  /** Null: the browser did not tell. */
  cookiesSent: z.array(requestCookie).nullable(),
  cookiesSet: z.array(requestCookie).nullable(),
  /** How many cookies the two lists leave out. */
  cookiesOmitted: int,
  timing: networkTiming.nullable(),
  /** Address and port of the server that responded: 192.0.2.1:443, [2001:db8::1]:443. */
  remoteAddress: z.string().nullable(),
  ...bodies,
  pageId,
})
