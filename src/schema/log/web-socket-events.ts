import { WEB_SOCKET_FILTER } from '../../domain/log/entries/entry-filter-input.ts'
import {
  TEXT_LIMITS,
  type WebSocketCloser,
  type WebSocketDirection,
  type WebSocketMessage,
  type WebSocketOpcode,
} from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { NEEDS } from '../base/needs.ts'
import { entryType } from '../sessions/session-event.ts'
import { filteredLog } from './filtered-log.ts'

const SOCKET_ID = 'Number of the WebSocket within its session, the same in all its entries.'
const PAGE_ID = 'The page, as in Session.pages. Null if it belongs to no page, such as a shared or service worker.'
const STATUS =
  'HTTP status code of the response to the handshake: 101 when it was accepted. Null if there was none, or the browser does not report it.'
const HEADER_RULE = `At most ${TEXT_LIMITS.headerCount} headers, values cut at ${TEXT_LIMITS.headerValue} UTF-16 code units.`

const WebSocketOpened = entryType(
  'WEB_SOCKET_OPENED',
  'A page, frame or worker opened a WebSocket. Recorded when its handshake is answered or has failed, or after 5 s.',
)

builder.objectFields(WebSocketOpened, (t) => ({
  webSocketId: t.int({ description: SOCKET_ID, resolve: ({ entry }) => entry.data.webSocketId }),
  url: t.string({ description: 'Its URL.', resolve: ({ entry }) => entry.data.url }),
  pageId: t.id({ nullable: true, description: PAGE_ID, resolve: ({ entry }) => entry.data.pageId }),
  status: t.int({ nullable: true, description: STATUS, resolve: ({ entry }) => entry.data.status }),
  requestHeaders: t.field({
    type: 'JSON',
    description: `Headers of the handshake: an object of names, in lower case, and their values. Empty when it was not sent. ${HEADER_RULE}`,
    resolve: ({ entry }) => entry.data.requestHeaders,
  }),
  responseHeaders: t.field({
    type: 'JSON',
    nullable: true,
    description: `Headers of the response to the handshake. Null if there was none; the browser does not report those of a rejection. ${HEADER_RULE}`,
    resolve: ({ entry }) => entry.data.responseHeaders,
  }),
}))

const WebSocketDirectionEnum = builder.enumType('WebSocketDirection', {
  description: 'Direction of a message.',
  values: describedValues<WebSocketDirection>({
    SENT: 'From the page to the server.',
    RECEIVED: 'From the server to the page.',
  }),
})

const WebSocketOpcodeEnum = builder.enumType('WebSocketOpcode', {
  description: 'Type of a message.',
  values: describedValues<WebSocketOpcode>({
    TEXT: 'Text.',
    BINARY: 'Bytes.',
    OTHER: 'Anything else that the browser reports. It does not report pings, pongs and close frames.',
  }),
})

const WebSocketMessageType = builder.objectRef<WebSocketMessage>('WebSocketMessage').implement({
  authScopes: NEEDS.read,
  description: 'A message of a WebSocket.',
  fields: (t) => ({
    at: t.field({ type: 'DateTime', description: 'When it was sent or received.', resolve: ({ at }) => at }),
    direction: t.expose('direction', { type: WebSocketDirectionEnum, description: 'Direction.' }),
    opcode: t.expose('opcode', { type: WebSocketOpcodeEnum, description: 'Type.' }),
    sizeBytes: t.field({
      type: 'SafeInt',
      description: 'Size of the whole message in bytes, uncompressed.',
      resolve: ({ sizeBytes }) => sizeBytes,
    }),
    text: t.exposeString('text', {
      nullable: true,
      description: `The text, cut at ${TEXT_LIMITS.message} UTF-16 code units. Null for bytes.`,
    }),
    base64: t.exposeString('base64', {
      nullable: true,
      description: `The bytes in base64, cut at ${TEXT_LIMITS.message} characters. Null for text.`,
    }),
    truncated: t.exposeBoolean('truncated', { description: 'Whether only the start of the message was recorded.' }),
  }),
})

const omittedBefore = (direction: string) =>
  `Number of messages ${direction} since the previous entry of this WebSocket that were counted instead of recorded.`

const WebSocketMessages = entryType(
  'WEB_SOCKET_MESSAGES',
  'Messages of one WebSocket, in order: those of at most 50 ms, and at most 100. Beyond a rate they are counted only.',
)

builder.objectFields(WebSocketMessages, (t) => ({
  webSocketId: t.int({ description: SOCKET_ID, resolve: ({ entry }) => entry.data.webSocketId }),
  url: t.string({ description: 'URL of the WebSocket.', resolve: ({ entry }) => entry.data.url }),
  pageId: t.id({ nullable: true, description: PAGE_ID, resolve: ({ entry }) => entry.data.pageId }),
  messages: t.field({
    type: [WebSocketMessageType],
    description: 'The messages, oldest first.',
    resolve: ({ entry }) => entry.data.messages,
  }),
  omittedSent: t.int({
    description: omittedBefore('sent'),
    resolve: ({ entry }) => entry.data.omittedSent,
  }),
  omittedReceived: t.int({
    description: omittedBefore('received'),
    resolve: ({ entry }) => entry.data.omittedReceived,
  }),
}))

const WebSocketCloserEnum = builder.enumType('WebSocketCloser', {
  description: 'Side that closed a WebSocket.',
  values: describedValues<WebSocketCloser>({
    PAGE: 'The page, frame or worker closed it.',
    SERVER: 'The server closed it.',
    DOCUMENT: 'Its page was left, closed or crashed, or its frame or worker ended.',
    FAILURE: 'It could not be opened, the connection was lost, or the server violated the protocol.',
    SESSION: 'It was open when the session ended.',
  }),
})

const WebSocketClosed = entryType(
  'WEB_SOCKET_CLOSED',
  'A WebSocket closed, failed, or ended with its page. All frames are recorded as messages or counted as omitted, here or in the entries before.',
)

builder.objectFields(WebSocketClosed, (t) => ({
  webSocketId: t.int({ description: SOCKET_ID, resolve: ({ entry }) => entry.data.webSocketId }),
  url: t.string({ description: 'Its URL.', resolve: ({ entry }) => entry.data.url }),
  pageId: t.id({ nullable: true, description: PAGE_ID, resolve: ({ entry }) => entry.data.pageId }),
  framesSent: t.int({
    description: 'Frames that the page sent.',
    resolve: ({ entry }) => entry.data.framesSent,
  }),
  framesReceived: t.int({
    description: 'Frames that the page received.',
    resolve: ({ entry }) => entry.data.framesReceived,
  }),
  omittedSent: t.int({
    description: omittedBefore('sent'),
    resolve: ({ entry }) => entry.data.omittedSent,
  }),
  omittedReceived: t.int({
    description: omittedBefore('received'),
    resolve: ({ entry }) => entry.data.omittedReceived,
  }),
  errorMessage: t.string({
    nullable: true,
    description: 'Error message of the browser when the WebSocket failed. Null after an ordinary close.',
    resolve: ({ entry }) => entry.data.error,
  }),
  status: t.int({ nullable: true, description: STATUS, resolve: ({ entry }) => entry.data.status }),
  closeCode: t.int({
    nullable: true,
    description:
      'Close code, such as 1000. Null when it is not known: the browser does not report close frames, so it is read from the connection, which is possible for ws: URLs of sessions behind the egress proxy.',
    resolve: ({ entry }) => entry.data.closeCode,
  }),
  closeReason: t.string({
    nullable: true,
    description: 'Reason in the close frame. Null when it is not known, as closeCode.',
    resolve: ({ entry }) => entry.data.closeReason,
  }),
  closedBy: t.field({
    type: WebSocketCloserEnum,
    nullable: true,
    description: 'Side that closed it. Null if unknown.',
    resolve: ({ entry }) => entry.data.closedBy,
  }),
}))

filteredLog({
  name: 'webSocketMessages',
  kind: 'WEB_SOCKET_MESSAGES',
  entry: WebSocketMessages,
  typename: 'WebSocketMessages',
  filter: WEB_SOCKET_FILTER,
  member: 'webSocket',
  wanted: 'batches',
  batch: 'Messages of WebSockets',
  description: 'The messages of WebSockets in batches, oldest first, also after the session ended.',
  subscription:
    'The messages of WebSockets of a session: replays from `after` (from the first when absent), then streams new entries; completes when the session has ended and everything was delivered. Errors: NOT_FOUND, CURSOR_INVALID, BAD_USER_INPUT.',
})
