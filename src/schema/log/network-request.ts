import { NETWORK_FILTER, REQUEST_OUTCOME, RESOURCE_TYPE } from '../../domain/log/entries/entry-filter-input.ts'
import { pendingRequests } from '../../domain/sessions/session-requests.ts'
import {
  TEXT_LIMITS,
  type NetworkTiming,
  type PendingRequest,
  type RequestPriority,
  type ResponseSource,
} from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { describedValues } from '../base/enum-values.ts'
import { enumTypeOf } from '../base/input-type.ts'
import { NEEDS } from '../base/needs.ts'
import { entryType } from '../sessions/session-event.ts'
import { filteredLog } from './filtered-log.ts'
import { RequestCookieType } from './request-cookie.ts'
import { RequestInitiatorType } from './request-initiator.ts'
import { Session } from '../sessions/session.ts'

const ResourceTypeEnum = enumTypeOf(RESOURCE_TYPE)

const RequestOutcomeEnum = enumTypeOf(REQUEST_OUTCOME)

const ResponseSourceEnum = builder.enumType('ResponseSource', {
  description: 'Source of a response.',
  values: describedValues<ResponseSource>({
    NETWORK: 'The network; or a client that responded in its place.',
    MEMORY_CACHE: 'The memory cache of the page.',
    DISK_CACHE: 'The HTTP cache.',
    PREFETCH: 'A prefetch.',
    SERVICE_WORKER: 'A service worker.',
  }),
})

const RequestPriorityEnum = builder.enumType('RequestPriority', {
  description: 'Priority of a request among those of its page.',
  values: describedValues<RequestPriority>({
    VERY_LOW: 'Lowest in DevTools.',
    LOW: 'Low.',
    MEDIUM: 'Medium.',
    HIGH: 'High.',
    VERY_HIGH: 'Highest in DevTools.',
  }),
})

const RequestFrameType = builder.objectRef<{ frameId: string; url: string }>('RequestFrame').implement({
  authScopes: NEEDS.read,
  description: 'The frame that made a request.',
  fields: (t) => ({
    frameId: t.exposeID('frameId', {
      description: 'Id of the frame in the Chrome DevTools Protocol; the same for all requests of the frame.',
    }),
    url: t.exposeString('url', {
      description: `URL of its document; for a navigation, where it goes. Cut at ${TEXT_LIMITS.url} UTF-16 code units.`,
    }),
  }),
})

const NetworkTimingType = builder.objectRef<NetworkTiming>('NetworkTiming').implement({
  authScopes: NEEDS.read,
  description:
    'Duration of each phase of a request, in milliseconds. Null for a phase that did not happen (a reused connection has no lookup) or is unknown.',
  fields: (t) => ({
    queuedMs: t.exposeFloat('queuedMs', {
      nullable: true,
      description:
        'Time from the page’s request until the browser started it: a browser has six connections to a host over HTTP/1, and further requests wait for one. Milliseconds, or null.',
    }),
    dnsMs: t.exposeFloat('dnsMs', { nullable: true, description: 'DNS lookup. Milliseconds, or null.' }),
    connectMs: t.exposeFloat('connectMs', { nullable: true, description: 'Connecting. Milliseconds, or null.' }),
    tlsMs: t.exposeFloat('tlsMs', { nullable: true, description: 'The TLS handshake. Milliseconds, or null.' }),
    waitingMs: t.exposeFloat('waitingMs', {
      nullable: true,
      description: 'From sending the request to the first byte of the response. Milliseconds, or null.',
    }),
    downloadMs: t.exposeFloat('downloadMs', {
      nullable: true,
      description: 'From the first byte of the response to the last. Milliseconds, or null.',
    }),
  }),
})

export const NetworkRequest = entryType(
  'NETWORK_REQUEST',
  'A request that has settled: see outcome. Until then it is a PendingRequest of the same id. Each hop of a redirect is a request of its own.',
)

const headerRule = `At most ${TEXT_LIMITS.headerCount} headers, values cut at ${TEXT_LIMITS.headerValue} UTF-16 code units.`
const cookieRule = `At most ${TEXT_LIMITS.cookieCount}, with ${TEXT_LIMITS.cookies} UTF-16 code units together. Null when the browser did not say: nothing went over the network, or it was cut short.`

builder.objectFields(NetworkRequest, (t) => ({
  startedAt: t.field({
    type: 'DateTime',
    description: 'When it was sent; `at` is when it settled.',
    resolve: ({ entry }) => entry.data.startedAt,
  }),
  url: t.string({
    description: `The URL, cut at ${TEXT_LIMITS.url} UTF-16 code units.`,
    resolve: ({ entry }) => entry.data.url,
  }),
  method: t.string({ description: 'The HTTP method, such as GET.', resolve: ({ entry }) => entry.data.method }),
  resourceType: t.field({
    type: ResourceTypeEnum,
    description: 'Resource type.',
    resolve: ({ entry }) => entry.data.resourceType,
  }),
  status: t.int({
    nullable: true,
    description:
      'HTTP status code of the response, even if it was withheld from the page (CORS). Null if there was none.',
    resolve: ({ entry }) => entry.data.status,
  }),
  statusText: t.string({
    nullable: true,
    description:
      'Reason phrase of the response, such as Not Found. Null if there was none; HTTP/2 and HTTP/3 have none.',
    resolve: ({ entry }) => entry.data.statusText,
  }),
  outcome: t.field({
    type: RequestOutcomeEnum,
    description: 'Outcome of the request. For entries recorded before this field existed it is derived from failure.',
    resolve: ({ entry }) => entry.data.outcome,
  }),
  failure: t.string({
    nullable: true,
    description:
      'Error text of the browser, such as net::ERR_NAME_NOT_RESOLVED; BLOCKED with the name of the rule, such as "BLOCKED (private address)", for hosts that the session cannot reach; “session ended” for requests cut by the end of the session. Null when it did not fail, or the outcome is UNKNOWN.',
    resolve: ({ entry }) => entry.data.failure,
  }),
  durationMs: t.int({
    description: 'From sending it to when it settled, in milliseconds.',
    resolve: ({ entry }) => Math.round(entry.data.durationMs),
  }),
  requestBytes: t.field({
    type: 'SafeInt',
    nullable: true,
    description: 'Size of the request body in bytes; 0 if there is none. Null when unknown.',
    resolve: ({ entry }) => entry.data.requestBytes,
  }),
  responseBytes: t.field({
    type: 'SafeInt',
    nullable: true,
    description:
      'Bytes of the response body as transferred, compressed if it was; responses of a cache or a service worker count decompressed. Null when unknown.',
    resolve: ({ entry }) => entry.data.responseBytes,
  }),
  fromCache: t.boolean({
    description: 'True if a cache or a service worker responded, not the network.',
    resolve: ({ entry }) => entry.data.fromCache,
  }),
  servedBy: t.field({
    type: ResponseSourceEnum,
    nullable: true,
    description:
      'Source of the response. Null if there was none, if the browser generated it (blob:), and for older entries.',
    resolve: ({ entry }) => entry.data.servedBy,
  }),
  mimeType: t.string({
    nullable: true,
    description: 'MIME type of the response, such as text/html. Null when unknown.',
    resolve: ({ entry }) => entry.data.mimeType,
  }),
  protocol: t.string({
    nullable: true,
    description: 'Protocol of the response, such as http/1.1, h2 or h3. Null when unknown.',
    resolve: ({ entry }) => entry.data.protocol,
  }),
  priority: t.field({
    type: RequestPriorityEnum,
    nullable: true,
    description: 'Final priority. Null when unknown.',
    resolve: ({ entry }) => entry.data.priority,
  }),
  isNavigation: t.boolean({
    description: 'True for the document of a page or frame.',
    resolve: ({ entry }) => entry.data.isNavigation,
  }),
  frame: t.field({
    type: RequestFrameType,
    nullable: true,
    description: 'The frame that made it. Null for workers and preflights, and for older entries.',
    resolve: ({ entry }) => entry.data.frame,
  }),
  initiator: t.field({
    type: RequestInitiatorType,
    nullable: true,
    description: 'Cause of the request. Null when unknown.',
    resolve: ({ sessionId, entry: { data } }) => data.initiator && { sessionId, initiator: data.initiator },
  }),
  redirectedFrom: t.string({
    nullable: true,
    description: 'URL of the request that was redirected to this one. Null if there is none.',
    resolve: ({ entry }) => entry.data.redirectedFrom,
  }),
  requestHeaders: t.field({
    type: 'JSON',
    description: `An object of header names, in lower case, and their values. ${headerRule}`,
    resolve: ({ entry }) => entry.data.requestHeaders,
  }),
  responseHeaders: t.field({
    type: 'JSON',
    nullable: true,
    description: `Response headers. Null if there was no response. ${headerRule}`,
    resolve: ({ entry }) => entry.data.responseHeaders,
  }),
  cookiesSent: t.field({
    type: [RequestCookieType],
    nullable: true,
    description: `Cookies sent with it, and those that were blocked. ${cookieRule}`,
    resolve: ({ entry }) => entry.data.cookiesSent,
  }),
  cookiesSet: t.field({
    type: [RequestCookieType],
    nullable: true,
    description: `Cookies that the response set, and those that were blocked. ${cookieRule}`,
    resolve: ({ entry }) => entry.data.cookiesSet,
  }),
  cookiesOmitted: t.int({
    description: 'Number of cookies that cookiesSent and cookiesSet omit because of their limits.',
    resolve: ({ entry }) => entry.data.cookiesOmitted,
  }),
  timing: t.field({
    type: NetworkTimingType,
    nullable: true,
    description: 'Duration of its phases. Null if the browser does not report it.',
    resolve: ({ entry }) => entry.data.timing,
  }),
  remoteAddress: t.string({
    nullable: true,
    description:
      'IP address and port of the server that responded, such as 192.0.2.1:443 or [2001:db8::1]:443. Null without a connection of its own (a failure, a cache, a service worker), and behind a proxy given to startSession.',
    resolve: ({ entry }) => entry.data.remoteAddress,
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null if it belongs to no page, such as a service worker.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
}))

interface PendingRequestNode {
  sessionId: string
  request: PendingRequest
}

const PendingRequestType = builder.objectRef<PendingRequestNode>('PendingRequest').implement({
  authScopes: NEEDS.read,
  description:
    'A pending request. When it settles it becomes a NetworkRequest with the same id, an entry of the log; if the server crashes first, it is lost.',
  fields: (t) => ({
    id: t.id({
      description: 'Id of the future NetworkRequest; `node` finds it only once that exists.',
      resolve: ({ sessionId, request }) => encodeGlobalId('NetworkRequest', sessionId, request.requestId),
    }),
    startedAt: t.field({
      type: 'DateTime',
      description: 'When it was sent.',
      resolve: ({ request }) => request.startedAt,
    }),
    url: t.string({ description: 'The URL.', resolve: ({ request }) => request.url }),
    method: t.string({ description: 'The HTTP method, such as GET.', resolve: ({ request }) => request.method }),
    resourceType: t.field({
      type: ResourceTypeEnum,
      description: 'Resource type.',
      resolve: ({ request }) => request.resourceType,
    }),
    pageId: t.id({
      nullable: true,
      description: 'The page, as in Session.pages. Null if it belongs to no page.',
      resolve: ({ request }) => request.pageId,
    }),
    status: t.int({
      nullable: true,
      description: 'HTTP status code of the response. Null while there is none.',
      resolve: ({ request }) => request.status,
    }),
    responseHeaders: t.field({
      type: 'JSON',
      nullable: true,
      description: `Response headers. Null while there is no response. ${headerRule}`,
      resolve: ({ request }) => request.responseHeaders,
    }),
    responseBytes: t.field({
      type: 'SafeInt',
      description: 'Bytes of the response body received so far, decompressed.',
      resolve: ({ request }) => request.responseBytes,
    }),
  }),
})

const PENDING_BOUNDS = { min: 1, max: 1000, default: 100 } as const

builder.objectField(Session, 'pendingRequests', (t) =>
  t.field({
    type: [PendingRequestType],
    authScopes: NEEDS.read,
    description: 'Pending requests, oldest first; pendingRequestCount is their number.',
    args: {
      first: t.arg.int({
        defaultValue: PENDING_BOUNDS.default,
        description: `Number of items to return, from ${PENDING_BOUNDS.min} to ${PENDING_BOUNDS.max}; otherwise BAD_USER_INPUT.`,
      }),
    },
    resolve: async ({ id: sessionId }, { first }, { sessions }) => {
      const requests = await pendingRequests(sessions, sessionId, first ?? PENDING_BOUNDS.default)
      return requests.map((request) => ({ sessionId, request }))
    },
  }),
)

filteredLog({
  name: 'networkRequests',
  kind: 'NETWORK_REQUEST',
  entry: NetworkRequest,
  typename: 'NetworkRequest',
  filter: NETWORK_FILTER,
  member: 'network',
  wanted: 'requests',
  batch: 'Requests that settled',
  description: 'Settled requests, in the order in which they settled, including those of ended sessions.',
  subscription:
    'The requests of a session, each when it has settled: replays from `after` (from the first when absent), then streams new entries; completes when the session has ended and everything was delivered. Errors: NOT_FOUND, CURSOR_INVALID, BAD_USER_INPUT.',
})
