import { decodeGlobalId, encodeGlobalId } from '../../contract/global-id.ts'
import { BadUserInput } from '../../domain/kernel/errors.ts'
import { EVENT_SOURCE_FILTER } from '../../domain/log/entries/entry-filter-input.ts'
import { TEXT_LIMITS, type EventSourceMessage } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { NEEDS } from '../base/needs.ts'
import { entryType } from '../sessions/session-event.ts'
import { filteredLog } from './filtered-log.ts'

const EventSourceMessageType = builder.objectRef<EventSourceMessage>('EventSourceMessage').implement({
  authScopes: NEEDS.read,
  description: 'A server-sent event.',
  fields: (t) => ({
    at: t.field({ type: 'DateTime', description: 'When it was received.', resolve: ({ at }) => at }),
    eventName: t.exposeString('eventName', {
      description: `Name of the event, "message" by default; cut at ${TEXT_LIMITS.eventName} UTF-16 code units.`,
    }),
    eventId: t.exposeString('eventId', {
      description: `Last event id that the server sent; cut at ${TEXT_LIMITS.eventName} UTF-16 code units. Empty if there was none.`,
    }),
    data: t.exposeString('data', { description: `The data, cut at ${TEXT_LIMITS.message} UTF-16 code units.` }),
    sizeBytes: t.field({
      type: 'SafeInt',
      description: 'Size of the whole data in bytes.',
      resolve: ({ sizeBytes }) => sizeBytes,
    }),
    truncated: t.exposeBoolean('truncated', { description: 'Whether only the start of the data was recorded.' }),
  }),
})

const EventSourceMessages = entryType(
  'EVENT_SOURCE_MESSAGES',
  'Server-sent events that one EventSource received, in order: those of at most 50 ms, and at most 100. Beyond a rate limit they are only counted. The browser does not report events that a page parses from a response by itself.',
)

builder.objectFields(EventSourceMessages, (t) => ({
  networkRequestId: t.id({
    description: 'Id of the request: a PendingRequest while it receives, then a NetworkRequest.',
    resolve: ({ sessionId, entry }) => encodeGlobalId('NetworkRequest', sessionId, entry.data.requestId),
  }),
  url: t.string({ description: 'URL of the request.', resolve: ({ entry }) => entry.data.url }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null if it belongs to no page, such as a shared or service worker.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  streamMessages: t.field({
    type: [EventSourceMessageType],
    description: 'The events, oldest first. Empty if all were counted only.',
    resolve: ({ entry }) => entry.data.messages,
  }),
  omittedReceived: t.int({
    description: 'Number of events since the previous entry of this request that were counted instead of recorded.',
    resolve: ({ entry }) => entry.data.omitted,
  }),
}))

/** Requests are numbered within their session. */
function requestNumber(id: string, sessionUuid: string): number {
  const decoded = decodeGlobalId(id)
  if (decoded?.typename === 'NetworkRequest' && decoded.uuid === sessionUuid && decoded.number !== null) {
    return decoded.number
  }
  const message = 'is not the id of a request of this session'
  throw new BadUserInput([{ path: ['filter', 'networkRequestId'], code: 'UNKNOWN_VALUE', message }])
}

filteredLog({
  name: 'eventSourceMessages',
  kind: 'EVENT_SOURCE_MESSAGES',
  entry: EventSourceMessages,
  typename: 'EventSourceMessages',
  filter: EVENT_SOURCE_FILTER,
  member: 'eventSource',
  decoded: (filter, sessionUuid) =>
    'networkRequestId' in filter && typeof filter.networkRequestId === 'string'
      ? { ...filter, networkRequestId: requestNumber(filter.networkRequestId, sessionUuid) }
      : filter,
  wanted: 'batches',
  batch: 'Server-sent events',
  description: 'Server-sent events in batches, oldest first, also after the session ended.',
  subscription:
    'Server-sent events of a session: replays from `after` (from the first when absent), then streams new entries; completes when the session has ended and everything was delivered. Errors: NOT_FOUND, CURSOR_INVALID, BAD_USER_INPUT.',
})
