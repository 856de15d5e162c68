import { argumentsOf, repeatHash } from '../../domain/log/entries/console-shape.ts'
import { CONSOLE_FILTER, CONSOLE_LEVEL } from '../../domain/log/entries/entry-filter-input.ts'
import { ARGUMENT_LIMITS, TEXT_LIMITS, type ConsoleMethod, type ConsoleSource } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { enumTypeOf } from '../base/input-type.ts'
import { NEEDS } from '../base/needs.ts'
import { entryType } from '../sessions/session-event.ts'
import { filteredLog } from './filtered-log.ts'

interface SourceLocation {
  url: string
  line: number | null
  column: number | null
}

const ConsoleLevelEnum = enumTypeOf(CONSOLE_LEVEL)

const ConsoleSourceEnum = builder.enumType('ConsoleSource', {
  description: 'Source of a console message.',
  values: describedValues<ConsoleSource>({
    CONSOLE: 'A page or frame called a method of console.',
    EXCEPTION: 'Nothing caught an exception or a rejected promise.',
    BROWSER: 'Message of the browser, about a page or a worker: a failed load, a violated policy, a deprecation.',
    WORKER: 'A worker called a method of console.',
  }),
})

const ConsoleMethodEnum = builder.enumType('ConsoleMethod', {
  description: 'Methods of console that write a line.',
  values: describedValues<ConsoleMethod>({
    ASSERT: 'console.assert, of a condition that is false.',
    COUNT: 'console.count.',
    DEBUG: 'console.debug.',
    DIR: 'console.dir.',
    DIRXML: 'console.dirxml.',
    ERROR: 'console.error.',
    GROUP: 'console.group: later lines are indented until its groupEnd, which writes no line.',
    GROUP_COLLAPSED: 'console.groupCollapsed.',
    INFO: 'console.info.',
    LOG: 'console.log, and console.timeLog.',
    PROFILE: 'console.profile.',
    PROFILE_END: 'console.profileEnd.',
    TABLE: 'console.table: text has aligned rows, arguments the data.',
    TIME_END: 'console.timeEnd.',
    TRACE: 'console.trace.',
    WARN: 'console.warn; also countReset and timeEnd of a label that does not exist.',
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
    description: 'Source.',
    resolve: ({ entry }) => entry.data.source,
  }),
  text: t.string({
    description: `The text as the console shows it, cut at ${TEXT_LIMITS.consoleText} UTF-16 code units; see truncated.`,
    resolve: ({ entry }) => entry.data.text,
  }),
  location: t.field({
    type: SourceLocationType,
    nullable: true,
    description: 'Location in the code of the message or exception. Null if the browser reports no location.',
    resolve: ({ entry: { data } }) =>
      data.url === null ? null : { url: data.url, line: data.line, column: data.column },
  }),
  stack: t.string({
    nullable: true,
    description: `Stack of an exception with those of its causes, or of console.error, assert and trace; cut at ${TEXT_LIMITS.stack} UTF-16 code units. Null when there is none.`,
    resolve: ({ entry }) => entry.data.stack,
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null if it belongs to no page, such as a service worker.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  truncated: t.int({
    description: 'UTF-16 code units cut from text; 0 when it is whole.',
    resolve: ({ entry }) => entry.data.truncated,
  }),
  consoleMethod: t.field({
    type: ConsoleMethodEnum,
    nullable: true,
    description:
      'The method of console that was called. Null for exceptions and messages of the browser, and in entries of older versions.',
    resolve: ({ entry }) => entry.data.method,
  }),
  groupDepth: t.int({
    description: 'Number of groups (console.group) that were open around the line, at most 100.',
    resolve: ({ entry }) => entry.data.groupDepth,
  }),
  hash: t.string({
    description: 'Hash of level, text and location: lines with the same hash are repeats.',
    resolve: ({ entry }) => repeatHash(entry.data),
  }),
  arguments: t.field({
    type: 'JSON',
    nullable: true,
    description: `What the method was called with, or the value that was thrown: a list of values, each an object with type, subtype, className, value, description, length, properties (a list, each with its name) and entries (of a Map or Set). Getters are not run. Members marked \`later\` were read after the line was written; \`truncated\` marks what has more than is shown. At most ${ARGUMENT_LIMITS.bytes} bytes of JSON. Null for messages of the browser, and where arguments are not captured.`,
    resolve: ({ entry }) => argumentsOf(entry.data),
  }),
  argumentsOmitted: t.int({
    description:
      'Number of values that were left out of arguments or cut; an object with an unknown number of further members counts once. 0 when all are there.',
    resolve: ({ entry }) => entry.data.argumentsOmitted,
  }),
  exceptionId: t.int({
    nullable: true,
    description:
      'Number of the exception within its session, by which an ExceptionHandled refers to it. Null for all other lines.',
    resolve: ({ entry }) => entry.data.exceptionId,
  }),
}))

const ExceptionHandled = entryType(
  'EXCEPTION_HANDLED',
  'A rejected promise that is in the log as an uncaught exception got a handler later. Entries do not change, so this is one of its own.',
)

builder.objectFields(ExceptionHandled, (t) => ({
  exceptionId: t.int({
    nullable: true,
    description: 'The exceptionId of its ConsoleMessage. Null if that is no longer known.',
    resolve: ({ entry }) => entry.data.exceptionId,
  }),
  message: t.string({ description: 'Message of the browser.', resolve: ({ entry }) => entry.data.message }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null if it belongs to no page, such as a service worker.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
}))

filteredLog({
  name: 'consoleMessages',
  kind: 'CONSOLE_MESSAGE',
  entry: ConsoleMessage,
  typename: 'ConsoleMessage',
  filter: CONSOLE_FILTER,
  member: 'console',
  wanted: 'messages',
  batch: 'Lines of the console',
  description: 'The console, oldest first, also after the session ended.',
  subscription:
    'The console of a session: replays from `after` (from the first line when absent), then streams new entries; completes when the session has ended and everything was delivered. Errors: NOT_FOUND, CURSOR_INVALID.',
})
