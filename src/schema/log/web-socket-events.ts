import { builder } from '../base/builder.ts'
import { entryType } from '../sessions/session-event.ts'

const SOCKET_ID = 'The same for the opening and the closing of one WebSocket, within its session.'
const PAGE_ID = 'The page, as in Session.pages. Null for what belongs to no page.'

const WebSocketOpened = entryType('WEB_SOCKET_OPENED', 'A page opened a WebSocket.')

builder.objectFields(WebSocketOpened, (t) => ({
  webSocketId: t.int({ description: SOCKET_ID, resolve: ({ entry }) => entry.data.webSocketId }),
  url: t.string({ description: 'Its URL.', resolve: ({ entry }) => entry.data.url }),
  pageId: t.id({ nullable: true, description: PAGE_ID, resolve: ({ entry }) => entry.data.pageId }),
}))

const WebSocketClosed = entryType('WEB_SOCKET_CLOSED', 'A WebSocket of a page closed, or failed.')

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
  errorMessage: t.string({
    nullable: true,
    description: 'Error message of the browser when the WebSocket failed. Null after an ordinary close.',
    resolve: ({ entry }) => entry.data.error,
  }),
}))
