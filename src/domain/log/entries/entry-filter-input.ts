import { z } from 'zod'
import { defineInput, field, orNull, ruled, type EnumDefinition } from '../../../contract/input/input-field.ts'
import type { ConsoleLevel, RequestOutcome, ResourceType } from '../../../ports/log/log-entry.ts'

/** Maximum number of HTTP methods in a filter: each entry is compared with each of them. */
const MAX_METHODS = 50

export const CONSOLE_LEVEL: EnumDefinition<ConsoleLevel> = {
  enumName: 'ConsoleLevel',
  description: 'Severity of a console message.',
  values: {
    DEBUG: 'console.debug and the browser’s verbose messages.',
    LOG: 'console.log and whatever has no level of its own, such as console.table.',
    INFO: 'console.info.',
    WARNING: 'console.warn and warnings of the browser.',
    ERROR: 'console.error, failed assertions, uncaught exceptions and errors of the browser.',
  },
}

export const RESOURCE_TYPE: EnumDefinition<ResourceType> = {
  enumName: 'ResourceType',
  description: 'Resource type, as classified by the browser.',
  values: {
    DOCUMENT: 'A page or frame.',
    STYLESHEET: 'A style sheet.',
    IMAGE: 'An image.',
    MEDIA: 'Audio or video.',
    FONT: 'A font.',
    SCRIPT: 'A script, of a page or worker.',
    TEXTTRACK: 'Subtitles.',
    XHR: 'XMLHttpRequest.',
    FETCH: 'fetch().',
    EVENTSOURCE: 'Server-sent events.',
    WEBSOCKET: 'The handshake of a WebSocket.',
    MANIFEST: 'The manifest of a web application.',
    PING: 'A beacon or ping.',
    OTHER: 'Anything else.',
  },
  names: { TEXTTRACK: 'TEXT_TRACK', EVENTSOURCE: 'EVENT_SOURCE', WEBSOCKET: 'WEB_SOCKET' },
}

export const REQUEST_OUTCOME: EnumDefinition<RequestOutcome> = {
  enumName: 'RequestOutcome',
  description: 'Outcome of a request, as reported by the browser.',
  values: {
    COMPLETED: 'The response arrived, whatever its status.',
    FAILED: 'A network or protocol error, or the page crashed.',
    CANCELED: 'The page canceled it, was left or closed; downloads and navigations to a 204 count, too.',
    BLOCKED: 'Refused by the browser (CORS, content security policy, mixed content …), a client or an egress rule.',
    CUT_BY_END: 'Pending when the session ended.',
    UNKNOWN:
      'Its page, frame or worker was gone before the browser reported an outcome: a beacon, ping or fetch, which may have been delivered.',
  },
}

/** Deduplicates values, so that no entry is compared with one twice. */
const distinct = <T>(item: z.ZodType<T>) => z.array(item).transform((values) => [...new Set(values)])
const oneOf = <V extends string>({ values }: EnumDefinition<V>) => z.enum(Object.keys(values) as V[])

const methods = ruled(distinct(z.string()), (values) =>
  values.length > MAX_METHODS
    ? { code: 'TOO_LONG', message: `must have at most ${MAX_METHODS} different methods; it has ${values.length}` }
    : null,
)

export const CONSOLE_FILTER = defineInput(
  'ConsoleFilter',
  'Filter of console messages. Filters are combined with AND; null or omitted ones are ignored.',
  {
    levels: field.of(CONSOLE_LEVEL, orNull(distinct(oneOf(CONSOLE_LEVEL))), 'One of these levels.', { list: true }),
    textContains: field.of('String', orNull(z.string()), 'The text has this substring; case matters.'),
    pageId: field.of('ID', orNull(z.string()), 'Of this page, as in Session.pages.'),
  },
)

export const NETWORK_FILTER = defineInput(
  'NetworkFilter',
  'Filter of network requests. Filters are combined with AND; null or omitted ones are ignored.',
  {
    urlContains: field.of('String', orNull(z.string()), 'The URL has this substring; case matters.'),
    methods: field.of('String', orNull(methods), 'One of these HTTP methods, at most 50; case does not matter.', {
      list: true,
    }),
    resourceTypes: field.of(RESOURCE_TYPE, orNull(distinct(oneOf(RESOURCE_TYPE))), 'One of these types.', {
      list: true,
    }),
    minStatus: field.of('Int', orNull(z.number()), 'Answered with this HTTP status or a higher one.'),
    maxStatus: field.of('Int', orNull(z.number()), 'Answered with this HTTP status or a lower one.'),
    outcomes: field.of(REQUEST_OUTCOME, orNull(distinct(oneOf(REQUEST_OUTCOME))), 'One of these outcomes.', {
      list: true,
    }),
    failedOnly: field.of(
      'Boolean',
      orNull(z.boolean()),
      'True: only what failed, was canceled or blocked, or was answered with a status of 400 or above. CUT_BY_END and UNKNOWN are no failures unless the status is.',
    ),
  },
)

export const WEB_SOCKET_FILTER = defineInput(
  'WebSocketFilter',
  'Filter of batches of WebSocket messages. Filters are combined with AND; null or omitted ones are ignored.',
  {
    webSocketId: field.of('Int', orNull(z.number()), 'Of this WebSocket, as in WebSocketOpened.webSocketId.'),
    pageId: field.of('ID', orNull(z.string()), 'Of this page, as in Session.pages.'),
    textContains: field.of('String', orNull(z.string()), 'A recorded text contains this substring, case-sensitive.'),
  },
)

export const EVENT_SOURCE_FILTER = defineInput(
  'EventSourceFilter',
  'Filter of batches of server-sent events. Filters are combined with AND; null or omitted ones are ignored.',
  {
    networkRequestId: field.of(
      'ID',
      orNull(z.number()),
      'Received by this request, as in EventSourceMessages.networkRequestId.',
    ),
    pageId: field.of('ID', orNull(z.string()), 'Of this page, as in Session.pages.'),
    textContains: field.of(
      'String',
      orNull(z.string()),
      'The recorded data of an event contains this substring, case-sensitive.',
    ),
  },
)
