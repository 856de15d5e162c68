import type { OutputRef } from '@pothos/core'
import { encodeEntryCursor } from '../../domain/kernel/cursor.ts'
import type { LogBatch } from '../../domain/log/reading/log-follower.ts'
import { LOG_PAGE_BOUNDS, type LogPage } from '../../domain/log/reading/log-reader.ts'
import type { LogEntry, SessionEventKind } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { connectionPage } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { NEEDS } from '../base/needs.ts'
import { foundByNumber } from '../base/node.ts'

/** An entry of a session's log, as resolved by the schema's types. */
export interface EntryNode<K extends SessionEventKind = SessionEventKind> {
  /** UUID. */
  sessionId: string
  entry: LogEntry<K>
}

/** The type name of each kind of entry. */
const TYPENAMES = {
  STATUS_CHANGE: 'StatusChange',
  NAVIGATION: 'Navigation',
  PAGE_OPENED: 'PageOpened',
  PAGE_CLOSED: 'PageClosed',
  PAGE_CRASHED: 'PageCrashed',
  CONSOLE_MESSAGE: 'ConsoleMessage',
  NETWORK_REQUEST: 'NetworkRequest',
  WEB_SOCKET_OPENED: 'WebSocketOpened',
  WEB_SOCKET_MESSAGES: 'WebSocketMessages',
  WEB_SOCKET_CLOSED: 'WebSocketClosed',
  EVENT_SOURCE_MESSAGES: 'EventSourceMessages',
  DOWNLOAD: 'Download',
  DIALOG: 'Dialog',
  ENTRIES_DROPPED: 'EntriesDropped',
  ACTION: 'Action',
  ARTIFACT_CREATED: 'ArtifactCreated',
  ARTIFACT_FAILED: 'ArtifactFailed',
  TASK_STEP: 'TaskStep',
  TASK_ENDED: 'TaskEnded',
  CLIENT_ATTACHED: 'ClientAttached',
  CLIENT_DETACHED: 'ClientDetached',
  ISSUE: 'Issue',
  EXCEPTION_HANDLED: 'ExceptionHandled',
} as const satisfies Record<SessionEventKind, string>

export const SessionEventKindEnum = builder.enumType('SessionEventKind', {
  description: 'The kinds of entries in the log of a session.',
  values: describedValues<SessionEventKind>({
    STATUS_CHANGE: 'The session got a new status: StatusChange.',
    NAVIGATION: 'A page went to another URL: Navigation.',
    PAGE_OPENED: 'A page or popup opened: PageOpened.',
    PAGE_CLOSED: 'A page closed: PageClosed.',
    PAGE_CRASHED: 'The process behind a page died: PageCrashed.',
    CONSOLE_MESSAGE: 'A line of the console, an uncaught exception, a message of the browser: ConsoleMessage.',
    NETWORK_REQUEST: 'A request settled: NetworkRequest.',
    WEB_SOCKET_OPENED: 'A page opened a WebSocket: WebSocketOpened.',
    WEB_SOCKET_MESSAGES: 'Messages of a WebSocket: WebSocketMessages.',
    WEB_SOCKET_CLOSED: 'A WebSocket of a page closed: WebSocketClosed.',
    EVENT_SOURCE_MESSAGES: 'Server-sent events that an EventSource received: EventSourceMessages.',
    DOWNLOAD: 'A download ended: Download.',
    DIALOG: 'A page opened a dialog: Dialog.',
    ENTRIES_DROPPED: 'Something could not be recorded: EntriesDropped.',
    ACTION: 'Someone, or a task, did something with a page: Action.',
    ARTIFACT_CREATED: 'A file of the session was stored: ArtifactCreated.',
    ARTIFACT_FAILED: 'A recording was stopped early, or a file could not be kept: ArtifactFailed.',
    TASK_STEP: 'The model that works on a task answered: TaskStep.',
    TASK_ENDED: 'A task ended: TaskEnded.',
    CLIENT_ATTACHED: 'A client connected to the browser: ClientAttached.',
    CLIENT_DETACHED: 'Such a client has disconnected: ClientDetached.',
    ISSUE: 'The browser found a problem of a page: Issue.',
    EXCEPTION_HANDLED: 'A rejected promise got a handler after it was recorded: ExceptionHandled.',
  }),
})

export const SessionEvent = builder.interfaceRef<EntryNode>('SessionEvent').implement({
  description:
    'One entry of the log of a session. Entries never change, and `sequence` is dense: 1, 2, 3 … without a gap. A field has the same type, nullable or not, in every kind of entry that has it, so any selection of fields is valid without aliases.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    sessionId: t.id({
      description: 'Id of the session that the log belongs to.',
      resolve: ({ sessionId }) => encodeGlobalId('Session', sessionId),
    }),
    cursor: t.string({
      description:
        'The place of the entry in the log. It works as `after` and `before` in every connection, and as `after` in every subscription, of the same session.',
      resolve: ({ sessionId, entry }) => encodeEntryCursor(sessionId, entry.sequence),
    }),
    sequence: t.int({
      description: 'Number of the entry within its session, from 1, without a gap.',
      resolve: ({ entry }) => entry.sequence,
    }),
    at: t.field({
      type: 'DateTime',
      description: 'When it happened; for a request, when it settled.',
      resolve: ({ entry }) => entry.at,
    }),
  }),
  resolveType: ({ entry }) => TYPENAMES[entry.kind],
})

/** Declares the type of one kind of entry, and makes it available as a node. */
export function entryType<K extends SessionEventKind>(
  kind: K,
  description: string,
  authScopes: typeof NEEDS.read | typeof NEEDS.readOrWrite = NEEDS.read,
) {
  const typename = TYPENAMES[kind]
  const ref = builder.objectRef<EntryNode<K>>(typename)
  // Not builder.node, whose ids are promises: a batch of entries would take three times the CPU (measured).
  ref.implement({
    ...foundByNumber('READ', async (owner, uuid, number, { sessions, logs }) => {
      const session = await sessions.find(owner, uuid)
      if (!session) return null
      const entry =
        kind === 'NETWORK_REQUEST'
          ? await logs.findRequest(session.id, number)
          : await logs.findEntry(session.id, number)
      return entry?.kind === kind ? { sessionId: session.id, entry } : null
    }),
    authScopes,
    description,
    interfaces: [builder.nodeInterfaceRef(), SessionEvent],
    fields: (t) => ({
      id: t.id({ description: `The id of this ${typename}, for \`node\`.`, resolve: (node) => entryId(node) }),
    }),
  })
  return ref
}

function entryId({ sessionId, entry }: EntryNode): string {
  // A request keeps its id as a PendingRequest, when it had no sequence yet.
  const number = entry.kind === 'NETWORK_REQUEST' ? entry.data.requestId : entry.sequence
  return encodeGlobalId(TYPENAMES[entry.kind], sessionId, number)
}

/** The arguments of every connection over a log. */
export const logPageArguments = builder.args((t) => ({
  first: t.int({
    defaultValue: LOG_PAGE_BOUNDS.default,
    description: `Number of items to return, going forward from \`after\`. From ${LOG_PAGE_BOUNDS.min} to ${LOG_PAGE_BOUNDS.max}; outside is BAD_USER_INPUT.`,
  }),
  after: t.string({
    description: 'Return items after this cursor. A cursor of another log is CURSOR_INVALID.',
  }),
  last: t.int({
    description: `Number of items to return, going backward from \`before\` or from the end; still in the order of the log. From ${LOG_PAGE_BOUNDS.min} to ${LOG_PAGE_BOUNDS.max}. Decides when \`first\` is there too.`,
  }),
  before: t.string({
    description: 'Return items before this cursor. A cursor of another log is CURSOR_INVALID.',
  }),
}))

export function logConnectionPage(sessionId: string, page: LogPage) {
  return connectionPage({
    nodes: page.entries.map((entry): EntryNode => ({ sessionId, entry })),
    cursorAt: (index) => encodeEntryCursor(sessionId, page.entries[index]!.sequence),
    hasNextPage: page.hasNextPage,
    hasPreviousPage: page.hasPreviousPage,
    startCursor: page.startCursor,
    endCursor: page.endCursor,
    totalCount: () => page.totalCount(),
  })
}

export interface BatchNode {
  sessionId: string
  batch: LogBatch
}

const LogBatchInterface = builder.interfaceRef<BatchNode>('LogBatch').implement({
  description: 'Batch of a log subscription: its entries, and the data needed to resume it.',
  fields: (t) => ({
    cursor: t.string({
      description: 'Where to resume, as `after`: everything up to here has been delivered or filtered out.',
      resolve: ({ batch }) => batch.cursor,
    }),
    live: t.boolean({
      description: 'False while replaying history; true once the reader has caught up.',
      resolve: ({ batch }) => batch.live,
    }),
    dropped: t.int({
      description: 'Sum of the counts of EntriesDropped since the previous batch; normally 0.',
      resolve: ({ batch }) => batch.dropped,
    }),
    droppedUnknown: t.boolean({
      description:
        'True when an EntriesDropped since the previous batch has no count: `dropped` is a lower bound then.',
      resolve: ({ batch }) => batch.droppedUnknown,
    }),
  }),
})

/** Declares the batch type of a log subscription. */
export function batchOf(name: string, node: OutputRef<object>, of: string) {
  return builder.objectRef<BatchNode>(name).implement({
    authScopes: NEEDS.read,
    interfaces: [LogBatchInterface],
    description: `${of} since the last batch, possibly none: an empty batch means that the reader has caught up (live: true), and, at least every 5 s while a filter skips entries, has the cursor to resume from.`,
    fields: (t) => ({
      entries: t.field({
        type: [node],
        description: 'In the order of the log. One when the page is quiet, many in a burst or a replay.',
        extensions: COST.batch,
        resolve: ({ sessionId, batch }) => batch.entries.map((entry): EntryNode => ({ sessionId, entry })),
      }),
    }),
  })
}

/** Description of the argument `after` of every log subscription. */
export const AFTER_DESCRIPTION =
  'Deliver entries after this cursor, of a connection, an entry or an earlier batch of the same session. Default: from the first entry. A cursor of another log is CURSOR_INVALID.'
