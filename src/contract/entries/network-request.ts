import { z } from 'zod'
import { bodies } from './body.ts'
import { headers, int, pageId, safeInt, time } from './members.ts'

/** Playwright's resource types in capitals (class Request, resourceType); future ones become OTHER. */
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

export const RESPONSE_SOURCES = ['NETWORK', 'MEMORY_CACHE', 'DISK_CACHE', 'PREFETCH', 'SERVICE_WORKER'] as const
export type ResponseSource = (typeof RESPONSE_SOURCES)[number]

export const REQUEST_PRIORITIES = ['VERY_LOW', 'LOW', 'MEDIUM', 'HIGH', 'VERY_HIGH'] as const
export type RequestPriority = (typeof REQUEST_PRIORITIES)[number]

export const INITIATOR_TYPES = [
  'PARSER',
  'SCRIPT',
  'PRELOAD',
  'PREFLIGHT',
  'SIGNED_EXCHANGE',
  'FED_CM',
  'OTHER',
] as const
export type InitiatorType = (typeof INITIATOR_TYPES)[number]

export const SAME_SITE_MODES = ['STRICT', 'LAX', 'NONE'] as const
export type SameSiteMode = (typeof SAME_SITE_MODES)[number]

/** Failures of requests that were pending when their session ended. */
export const CUT_FAILURES = ['session ended', 'the browser crashed'] as const
export type CutFailure = (typeof CUT_FAILURES)[number]

/** Whether a request failed by itself: one that the end of its session cut did not, unless its status says so. */
export function isFailedRequest({ failure, status }: { failure: string | null; status: number | null }): boolean {
  const isCut = failure !== null && (CUT_FAILURES as readonly string[]).includes(failure)
  return (failure !== null && !isCut) || (status !== null && status >= 400)
}

/**
 * Maps a failure to an outcome: the first matching pattern decides, otherwise FAILED. Entries from before the outcome
 * was stored get theirs this way. JavaScript and PostgreSQL read these patterns alike.
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

/** Milliseconds of a phase; null if it did not occur (a reused connection has no DNS lookup). */
const phase = z.number().nullable()

const networkTiming = z.object({
  /** From the request until the first of the other phases. */
  queuedMs: phase,
  dnsMs: phase,
  connectMs: phase,
  tlsMs: phase,
  /** From sending the request to the first byte of the response. */
  waitingMs: phase,
  downloadMs: phase,
})
export type NetworkTiming = z.output<typeof networkTiming>

/** The initiator of the request. */
const initiator = z.object({
  type: z.enum(INITIATOR_TYPES),
  url: z.string().nullable(),
  /** 1-based. */
  line: int.nullable(),
  column: int.nullable(),
  stack: z.string().nullable(),
  /** Number of the request that caused this one: for a preflight, the actual request. */
  requestId: int.nullable(),
})
export type RequestInitiator = z.output<typeof initiator>

/** A cookie that was sent or set, or was blocked. */
const requestCookie = z.object({
  name: z.string(),
  value: z.string(),
  domain: z.string().nullable(),
  path: z.string().nullable(),
  /** Null: session cookie. */
  expiresAt: time.nullable(),
  httpOnly: z.boolean(),
  secure: z.boolean(),
  sameSite: z.enum(SAME_SITE_MODES).nullable(),
  /** The browser's reasons; empty: it was not blocked. */
  blockedReasons: z.array(z.string()),
  /** Why it was exempt from a blocking rule. */
  exemptionReason: z.string().nullable(),
})
export type RequestCookie = z.output<typeof requestCookie>

export const networkRequest = z.object({
  /** Number of the request within its session, assigned at its start: a PendingRequest and its entry share it. */
  requestId: int,
  startedAt: time,
  url: z.string(),
  method: z.string(),
  resourceType: z.enum(RESOURCE_TYPES),
  status: int.nullable(),
  statusText: z.string().nullable(),
  outcome: z.enum(REQUEST_OUTCOMES),
  failure: z.string().nullable(),
  /** GraphQL type Int, rounded. */
  durationMs: z.number().min(-2_147_483_648).max(2_147_483_647),
  requestBytes: safeInt.nullable(),
  responseBytes: safeInt.nullable(),
  fromCache: z.boolean(),
  /** Null: no response, or unknown. */
  servedBy: z.enum(RESPONSE_SOURCES).nullable(),
  mimeType: z.string().nullable(),
  protocol: z.string().nullable(),
  priority: z.enum(REQUEST_PRIORITIES).nullable(),
  isNavigation: z.boolean(),
  /** The requesting frame; null for workers. */
  frame: z.object({ frameId: z.string(), url: z.string() }).nullable(),
  initiator: initiator.nullable(),
  /** URL of the request that was redirected here; each hop is a separate request. */
  redirectedFrom: z.string().nullable(),
  requestHeaders: headers,
  responseHeaders: headers.nullable(),
  /** Null: not reported by the browser. */
  cookiesSent: z.array(requestCookie).nullable(),
  cookiesSet: z.array(requestCookie).nullable(),
  /** Number of cookies omitted from the two lists. */
  cookiesOmitted: int,
  timing: networkTiming.nullable(),
  /** Address and port of the server: 192.0.2.1:443, [2001:db8::1]:443. */
  remoteAddress: z.string().nullable(),
  ...bodies,
  pageId,
})
