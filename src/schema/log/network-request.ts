import { NETWORK_FILTER, RESOURCE_TYPE } from '../../domain/log/entry-filter-input.ts'
import { pendingRequests } from '../../domain/sessions/session-requests.ts'
import { TEXT_LIMITS, type NetworkFilter, type NetworkTiming, type PendingRequest } from '../../ports/log-entry.ts'
import { builder } from '../base/builder.ts'
import { connectionOf } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { enumTypeOf, inputTypeOf } from '../base/input-type.ts'
import { NEEDS } from '../base/needs.ts'
import {
  AFTER_DESCRIPTION,
  batchOf,
  entryType,
  logConnectionPage,
  logPageArguments,
} from '../sessions/session-event.ts'
import { requireSession, Session, sessionUuid } from '../sessions/session.ts'

const ResourceTypeEnum = enumTypeOf(RESOURCE_TYPE)

const NetworkTimingType = builder.objectRef<NetworkTiming>('NetworkTiming').implement({
  authScopes: NEEDS.read,
  description:
    'How long each phase of a request took, in milliseconds. Null for a phase that did not happen (a reused connection has no look-up) or is not known.',
  fields: (t) => ({
    queuedMs: t.exposeFloat('queuedMs', {
      nullable: true,
      description:
        'From when the page asked for it until the browser turned to it: a browser has six connections to a host over HTTP/1, and further requests wait for one. Milliseconds, or null.',
    }),
    dnsMs: t.exposeFloat('dnsMs', { nullable: true, description: 'Looking up the name. Milliseconds, or null.' }),
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
  'A request that has settled: answered, failed or cancelled. Until then it is a PendingRequest of the same id. Each hop of a redirect is a request of its own.',
)

const headerRule = `At most ${TEXT_LIMITS.headerCount} headers, values cut at ${TEXT_LIMITS.headerValue} UTF-16 code units.`

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
    description: 'HTTP status code of the response. Null if there was none.',
    resolve: ({ entry }) => entry.data.status,
  }),
  failure: t.string({
    nullable: true,
    description:
      'Why it failed, in the browser’s words, such as net::ERR_NAME_NOT_RESOLVED; BLOCKED with the name of the rule, such as "BLOCKED (private address)", for hosts that the session cannot reach. Null when it did not.',
    resolve: ({ entry }) => entry.data.failure,
  }),
  durationMs: t.int({
    description: 'From sending it to when it settled, in milliseconds.',
    resolve: ({ entry }) => Math.round(entry.data.durationMs),
  }),
  requestBytes: t.field({
    type: 'SafeInt',
    nullable: true,
    description: 'Bytes of the request’s body; 0 when it has none. Null when not known.',
    resolve: ({ entry }) => entry.data.requestBytes,
  }),
  responseBytes: t.field({
    type: 'SafeInt',
    nullable: true,
    description:
      'Bytes of the response body as transferred, compressed if they were; what a cache or a service worker gave counts as it was used. Null when not known.',
    resolve: ({ entry }) => entry.data.responseBytes,
  }),
  fromCache: t.boolean({
    description: 'True when a cache or a service worker answered, not the network.',
    resolve: ({ entry }) => entry.data.fromCache,
  }),
  redirectedFrom: t.string({
    nullable: true,
    description: 'URL of the request that was redirected here. Null when none was.',
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
  timing: t.field({
    type: NetworkTimingType,
    nullable: true,
    description: 'How long its phases took. Null when the browser does not tell.',
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
    description: 'The page, as in Session.pages. Null for what belongs to no page, such as a service worker.',
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
    'A pending request. When it settles it becomes a NetworkRequest of the same id, an entry of the log; if the server crashes before, it is gone.',
  fields: (t) => ({
    id: t.id({
      description: 'The id that the NetworkRequest will have; `node` finds it only then.',
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
      description: 'The page, as in Session.pages. Null for what belongs to no page.',
      resolve: ({ request }) => request.pageId,
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
        description: `How many to return. From ${PENDING_BOUNDS.min} to ${PENDING_BOUNDS.max}; outside is BAD_USER_INPUT.`,
      }),
    },
    resolve: async ({ id: sessionId }, { first }, { sessions }) => {
      const requests = await pendingRequests(sessions, sessionId, first ?? PENDING_BOUNDS.default)
      return requests.map((request) => ({ sessionId, request }))
    },
  }),
)

const NetworkFilterType = inputTypeOf(NETWORK_FILTER)

const NetworkRequestConnection = connectionOf('NetworkRequest', NetworkRequest)
const NetworkRequestBatch = batchOf('NetworkRequestBatch', NetworkRequest, 'Requests that settled')

const KINDS = ['NETWORK_REQUEST'] as const

builder.objectField(Session, 'networkRequests', (t) =>
  t.field({
    type: NetworkRequestConnection,
    authScopes: NEEDS.read,
    description:
      'The requests that have settled, in the order in which they did, also after the session ended. Errors: BAD_USER_INPUT, CURSOR_INVALID.',
    extensions: COST.page,
    args: {
      ...logPageArguments,
      filter: t.arg({ type: NetworkFilterType, description: 'Which requests are wanted. Absent: every one.' }),
    },
    resolve: async (session, { filter, ...page }, { logs }) =>
      logConnectionPage(
        session.id,
        await logs.page(session, { ...page, filter: { kinds: KINDS, network: filter as NetworkFilter } }),
      ),
  }),
)

builder.subscriptionField('networkRequests', (t) =>
  t.field({
    type: NetworkRequestBatch,
    authScopes: NEEDS.read,
    description:
      'The requests of a session, each when it has settled: replays from `after` (from the first when absent), then streams new entries; completes when the session has ended and everything was delivered. Errors: NOT_FOUND, CURSOR_INVALID, BAD_USER_INPUT.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      after: t.arg.string({ description: AFTER_DESCRIPTION }),
      filter: t.arg({ type: NetworkFilterType, description: 'Which requests are wanted. Absent: every one.' }),
    },
    subscribe: async (_, { sessionId, after, filter }, context) =>
      context.logs.follow(
        await requireSession(context, 'READ', sessionId),
        { after, filter: { kinds: KINDS, network: filter as NetworkFilter } },
        context.signal,
      ),
    resolve: (batch, { sessionId }) => ({ sessionId: sessionUuid(sessionId), batch }),
  }),
)
