import { CONSOLE_FILTER, CONSOLE_LEVEL } from '../../domain/log/entry-filter-input.ts'
import { TEXT_LIMITS, type ConsoleFilter, type ConsoleSource } from '../../ports/log-entry.ts'
import { builder } from '../base/builder.ts'
import { connectionOf } from '../base/connection.ts'
import { COST } from '../base/complexity.ts'
import { describedValues } from '../base/enum-values.ts'
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

interface SourceLocation {
  url: string
  line: number | null
  column: number | null
}

const ConsoleLevelEnum = enumTypeOf(CONSOLE_LEVEL)

const ConsoleSourceEnum = builder.enumType('ConsoleSource', {
  description: 'Where a line of the console comes from.',
  values: describedValues<ConsoleSource>({
    CONSOLE: 'A page or frame called a method of console.',
    EXCEPTION: 'Nothing caught an exception or a rejected promise.',
    BROWSER: 'Message of the browser: a failed load, a violated policy, a deprecation.',
    WORKER: 'A worker called a method of console.',
  }),
})

export const SourceLocationType = builder.objectRef<SourceLocation>('SourceLocation').implement({
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
    description: 'Severity of the message.',
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

const ConsoleFilterType = inputTypeOf(CONSOLE_FILTER)

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
      filter: t.arg({ type: ConsoleFilterType, description: 'Which lines are wanted. Absent: every one.' }),
    },
    resolve: async (session, { filter, ...page }, { logs }) =>
      logConnectionPage(
        session.id,
        await logs.page(session, { ...page, filter: { kinds: KINDS, console: filter as ConsoleFilter } }),
      ),
  }),
)

builder.subscriptionField('consoleMessages', (t) =>
  t.field({
    type: ConsoleMessageBatch,
    authScopes: NEEDS.read,
    description:
      'The console of a session: replays from `after` (from the first line when absent), then streams new entries; completes when the session has ended and everything was delivered. Errors: NOT_FOUND, CURSOR_INVALID.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The id of the session.' }),
      after: t.arg.string({ description: AFTER_DESCRIPTION }),
      filter: t.arg({ type: ConsoleFilterType, description: 'Which lines are wanted. Absent: every one.' }),
    },
    subscribe: async (_, { sessionId, after, filter }, context) =>
      context.logs.follow(
        await requireSession(context, 'READ', sessionId),
        { after, filter: { kinds: KINDS, console: filter as ConsoleFilter } },
        context.signal,
      ),
    resolve: (batch, { sessionId }) => ({ sessionId: sessionUuid(sessionId), batch }),
  }),
)
