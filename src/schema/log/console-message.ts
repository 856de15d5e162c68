import { TEXT_LIMITS, type ConsoleFilter, type ConsoleLevel, type ConsoleSource } from '../../ports/log-entry.ts'
import { builder } from '../base/builder.ts'
import { connectionOf } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
import { NEEDS } from '../base/needs.ts'
import {
  AFTER_DESCRIPTION,
  batchOf,
  entryType,
  logConnectionPage,
  logPageArguments,
} from '../sessions/session-event.ts'
import { requireSession, Session, sessionUuid } from '../sessions/session.ts'

interface SourceLocation {
  url: string
  line: number | null
  column: number | null
}

const ConsoleLevelEnum = builder.enumType('ConsoleLevel', {
  description: 'How grave a line of the console is.',
  values: describedValues<ConsoleLevel>({
    DEBUG: 'console.debug and the browser’s verbose messages.',
    LOG: 'console.log and whatever has no level of its own, such as console.table.',
    INFO: 'console.info.',
    WARNING: 'console.warn and warnings of the browser.',
    ERROR: 'console.error, failed assertions, uncaught exceptions and errors of the browser.',
  }),
})

const ConsoleSourceEnum = builder.enumType('ConsoleSource', {
  description: 'Where a line of the console comes from.',
  values: describedValues<ConsoleSource>({
    CONSOLE: 'A page or frame called a method of console.',
    EXCEPTION: 'Nothing caught an exception or a rejected promise.',
    BROWSER: 'The browser says something of its own: a failed load, a violated policy, a deprecation.',
    WORKER: 'A worker called a method of console.',
  }),
})

const SourceLocationType = builder.objectRef<SourceLocation>('SourceLocation').implement({
  authScopes: NEEDS.read,
  description: 'A position in a script, style sheet or document.',
  fields: (t) => ({
    url: t.exposeString('url', {
      description: `URL of the script or resource, cut at ${TEXT_LIMITS.url} UTF-16 code units. Empty for a script that has none.`,
    }),
    line: t.exposeInt('line', { nullable: true, description: 'Line, from 1. Null when the browser names none.' }),
    column: t.exposeInt('column', {
      nullable: true,
      description: 'Column in the line, from 1. Null when the browser names none.',
    }),
  }),
})

const ConsoleMessage = entryType(
  'CONSOLE_MESSAGE',
  'A line of the console, an uncaught exception or a message of the browser, of any page, frame or worker.',
)

builder.objectFields(ConsoleMessage, (t) => ({
  level: t.field({
    type: ConsoleLevelEnum,
    description: 'How grave it is.',
    resolve: ({ entry }) => entry.data.level,
  }),
  source: t.field({
    type: ConsoleSourceEnum,
    description: 'Where it comes from.',
    resolve: ({ entry }) => entry.data.source,
  }),
  text: t.string({
    description: `The text as the console shows it, cut at ${TEXT_LIMITS.consoleText} UTF-16 code units; see truncated.`,
    resolve: ({ entry }) => entry.data.text,
  }),
  location: t.field({
    type: SourceLocationType,
    nullable: true,
    description: 'Where in the code the message or exception comes from. Null when the browser names no place.',
    resolve: ({ entry: { data } }) =>
      data.url === null ? null : { url: data.url, line: data.line, column: data.column },
  }),
  stack: t.string({
    nullable: true,
    description: `Stack of an exception, cut at ${TEXT_LIMITS.stack} UTF-16 code units. Null when there is none.`,
    resolve: ({ entry }) => entry.data.stack,
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null for what belongs to no page, such as a service worker.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  truncated: t.int({
    description: 'UTF-16 code units cut from text; 0 when it is whole.',
    resolve: ({ entry }) => entry.data.truncated,
  }),
}))

const ConsoleFilterInput = builder.inputRef<ConsoleFilter>('ConsoleFilter').implement({
  description:
    'Which lines of the console are wanted. Members that are absent or null do not narrow; the others all apply.',
  fields: (t) => ({
    levels: t.field({ type: [ConsoleLevelEnum], description: 'One of these levels.' }),
    textContains: t.string({ description: 'The text has this substring; case matters.' }),
    pageId: t.id({ description: 'Of this page, as in Session.pages.' }),
  }),
})

const ConsoleMessageConnection = connectionOf('ConsoleMessage', ConsoleMessage)
const ConsoleMessageBatch = batchOf('ConsoleMessageBatch', ConsoleMessage, 'Lines of the console')

const KINDS = ['CONSOLE_MESSAGE'] as const

builder.objectField(Session, 'consoleMessages', (t) =>
  t.field({
    type: ConsoleMessageConnection,
    authScopes: NEEDS.read,
    description: 'The console, oldest first, also after the session ended. Errors: BAD_USER_INPUT, CURSOR_INVALID.',
    extensions: COST.page,
    args: {
      ...logPageArguments,
      filter: t.arg({ type: ConsoleFilterInput, description: 'Which lines are wanted. Absent: every one.' }),
    },
    resolve: async (session, { filter, ...page }, { logs }) =>
      logConnectionPage(session.id, await logs.page(session, { ...page, filter: { kinds: KINDS, console: filter } })),
  }),
)

builder.subscriptionField('consoleMessages', (t) =>
  t.field({
    type: ConsoleMessageBatch,
    authScopes: NEEDS.read,
    description:
      'The console of a session: replays from `after` (from the first line when absent), then follows; completes when the session has ended and all was delivered. Errors: NOT_FOUND, CURSOR_INVALID.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      after: t.arg.string({ description: AFTER_DESCRIPTION }),
      filter: t.arg({ type: ConsoleFilterInput, description: 'Which lines are wanted. Absent: every one.' }),
    },
    subscribe: async (_, { sessionId, after, filter }, context) =>
      context.logs.follow(
        await requireSession(context, 'READ', sessionId),
        { after, filter: { kinds: KINDS, console: filter } },
        context.signal,
      ),
    resolve: (batch, { sessionId }) => ({ sessionId: sessionUuid(sessionId), batch }),
  }),
)
