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

export const networkRequest = z.object({
  /** Number of the request within its session, given when it starts: a PendingRequest and its entry share it. */
  requestId: int,
  startedAt: time,
  url: z.string(),
  method: z.string(),
  resourceType: z.enum(RESOURCE_TYPES),
  status: int.nullable(),
  failure: z.string().nullable(),
  /** Shown as Int, rounded. */
  durationMs: z.number().min(-2_147_483_648).max(2_147_483_647),
  requestBytes: safeInt.nullable(),
  responseBytes: safeInt.nullable(),
  fromCache: z.boolean(),
  /** URL of the request that was redirected here; each hop is a request of its own. */
  redirectedFrom: z.string().nullable(),
  requestHeaders: headers,
  responseHeaders: headers.nullable(),
  timing: networkTiming.nullable(),
  /** Address and port of the server that responded: 192.0.2.1:443, [2001:db8::1]:443. */
  remoteAddress: z.string().nullable(),
  ...bodies,
  pageId,
})
