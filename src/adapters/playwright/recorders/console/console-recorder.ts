import {
  ARGUMENT_LIMITS,
  TEXT_LIMITS,
  type ConsoleLevel,
  type ConsoleMethod,
  type ConsoleSource,
  type ConsoleValue,
  type EntryData,
  type EntryDraft,
} from '../../../../ports/log/log-entry.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpEvents, RemoteObject, StackTrace } from '../../cdp/protocol/cdp-events.ts'
import type { ConnectionOutcomes } from '../../network/connection-outcomes.ts'
import { ConsoleGroups } from './console-groups.ts'
import { formatTable } from './console-table.ts'
import { formatArgument, formatCauses, formatConsoleArguments, formatErrorMembers, messageOf } from './console-text.ts'
import { countTruncated, valueOf, ValueBudget } from './console-value.ts'
import { cutText, cutUrl, startOfText } from '../../cdp/protocol/cut-text.ts'
import { isPlaywrightSignal } from '../../cdp/protocol/playwright-signal.ts'
import { formatStack } from '../../cdp/protocol/stack-text.ts'
import { DeepLine, DeepValues } from './deep-values.ts'
import type { DraftQueue } from './draft-queue.ts'
import { isOfWorker, type TooLarge } from '../../cdp/pipe/oversized-message.ts'
import { isWorker, type TargetRegistry, type TrackedSession } from '../../cdp/targets/target-registry.ts'
import { UncaughtExceptions } from './uncaught-exceptions.ts'

/** Console methods by the type in their event, with the level of their entries. */
const METHODS: Readonly<Record<string, { method: ConsoleMethod; level: ConsoleLevel }>> = {
  assert: { method: 'ASSERT', level: 'ERROR' },
  count: { method: 'COUNT', level: 'LOG' },
  debug: { method: 'DEBUG', level: 'DEBUG' },
  dir: { method: 'DIR', level: 'LOG' },
  dirxml: { method: 'DIRXML', level: 'LOG' },
  error: { method: 'ERROR', level: 'ERROR' },
  info: { method: 'INFO', level: 'INFO' },
  profile: { method: 'PROFILE', level: 'LOG' },
  profileEnd: { method: 'PROFILE_END', level: 'LOG' },
  startGroup: { method: 'GROUP', level: 'LOG' },
  startGroupCollapsed: { method: 'GROUP_COLLAPSED', level: 'LOG' },
  table: { method: 'TABLE', level: 'LOG' },
  timeEnd: { method: 'TIME_END', level: 'LOG' },
  trace: { method: 'TRACE', level: 'LOG' },
  warning: { method: 'WARN', level: 'WARNING' },
}
const PLAIN = { method: 'LOG', level: 'LOG' } as const

/** The browser's placeholders for calls without arguments. */
const STAND_INS: Readonly<Record<string, string>> = {
  assert: 'console.assert',
  trace: 'console.trace',
  startGroup: 'console.group',
  startGroupCollapsed: 'console.groupCollapsed',
}

const BROWSER_LEVELS: Readonly<Record<CdpEvents['Log.entryAdded']['entry']['level'], ConsoleLevel>> = {
  verbose: 'DEBUG',
  info: 'INFO',
  warning: 'WARNING',
  error: 'ERROR',
}

/** Console methods whose caller people look for. */
const METHODS_WITH_STACK: ReadonlySet<string> = new Set(['error', 'assert', 'trace'])

/** The browser's text for a thrown value whose message it does not include. */
const BARE_UNCAUGHT: ReadonlySet<string> = new Set(['Uncaught', 'Uncaught (in promise)'])

/** Logged objects stay alive in the page until they are released; this many are released at a time. */
const RELEASE_EVERY = 200

/** The browser reports a failure after it happened. */
const REPORT_DELAY_MS = 1_000

interface Line {
  session: TrackedSession
  at: number
  level: ConsoleLevel
  source: ConsoleSource
  method: ConsoleMethod | null
  groupDepth: number
  place: Place | null
  stack: string | null
  exceptionId: number | null
}

/** Creates the text of a line from the values known by then. */
type Say = (values: readonly (ConsoleValue | null)[]) => Pick<EntryData['CONSOLE_MESSAGE'], 'text' | 'stack'>

/**
 * Everything that a browser's console would show: console.*, uncaught exceptions, messages of the browser itself, and
 * those of workers.
 */
export class ConsoleRecorder {
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #drafts: DraftQueue
  readonly #capturesArguments: boolean
  readonly #deep: DeepValues
  readonly #groups = new ConsoleGroups()
  readonly #exceptions = new UncaughtExceptions()
  readonly #unreleased = new Map<string, number>()

  /** `drafts`: the queue that keeps the order while values are read further. */
  constructor(
    connection: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    drafts: DraftQueue,
    connections: ConnectionOutcomes,
    capturesArguments: boolean,
  ) {
    this.#connection = connection
    this.#targets = targets
    this.#recorder = recorder
    this.#drafts = drafts
    this.#capturesArguments = capturesArguments
    this.#deep = new DeepValues(connection)
    connection.on('Runtime.consoleAPICalled', (event, sessionId) => this.#called(event, sessionId))
    connection.on('Runtime.exceptionThrown', (event, sessionId) => this.#thrown(event, sessionId))
    connection.on('Runtime.exceptionRevoked', (event, sessionId) => this.#revoked(event, sessionId))
    connection.on('Runtime.executionContextsCleared', (_, sessionId = '') => this.#groups.sessionEnded(sessionId))
    connection.on('Log.entryAdded', (event, sessionId) => {
      const { entry } = event
      if (!connections.isHidden(entry.text)) return this.#recordEntry(event, sessionId)
      connections.explain(entry.text, subjectOf(entry), entry.timestamp - REPORT_DELAY_MS, (text) => {
        entry.text = text
        this.#recordEntry(event, sessionId)
      })
    })
  }

  /** There is nothing left to release. */
  sessionEnded({ sessionId }: TrackedSession): void {
    this.#unreleased.delete(sessionId)
    this.#groups.sessionEnded(sessionId)
    this.#deep.sessionEnded(sessionId)
  }

  /** A line that was too large to be read. */
  tooLarge(event: TooLarge): void {
    const { method, sessionId } = event
    const isLine =
      method === 'Runtime.consoleAPICalled' ||
      method === 'Runtime.exceptionThrown' ||
      (method === 'Log.entryAdded' && !isOfWorker(event))
    const session = isLine && sessionId !== null ? this.#targets.source(sessionId) : undefined
    if (!session) return
    this.#recorder.missed('CONSOLE_MESSAGE', 'MESSAGE_TOO_LARGE')
    this.#connection.notify('Runtime.releaseObjectGroup', { objectGroup: 'console' }, session.sessionId)
  }

  /** A line that came too late to be read; its objects are released with those of others. */
  leftOut(sessionId: string): void {
    if (!this.#targets.source(sessionId)) return
    this.#recorder.missed('CONSOLE_MESSAGE', 'FLOOD')
    this.#releaseLater(sessionId)
  }

  #called(event: CdpEvents['Runtime.consoleAPICalled'], sessionId: string | undefined): void {
    const session = this.#targets.source(sessionId)
    // Context 0 marks past messages, which the browser repeats when a session is opened.
    if (!session || event.executionContextId === 0) return
    const { type, stackTrace, executionContextId: contextId } = event
    // These print no line: one closes a group, the other clears the display.
    if (type === 'endGroup') return this.#groups.closed(session.sessionId, contextId)
    if (type === 'clear') return this.#groups.contextEnded(session.sessionId, contextId)
    const [first] = event.args
    if (isPlaywrightSignal(event)) return
    const args =
      event.args.length === 1 && first?.value === STAND_INS[type] && first?.value !== undefined ? [] : event.args
    const { method, level } = METHODS[type] ?? PLAIN
    const line: Line = {
      session,
      at: event.timestamp,
      level,
      source: isWorker(session) ? 'WORKER' : 'CONSOLE',
      method,
      groupDepth: this.#groups.depth(session.sessionId, contextId),
      place: placeOf(stackTrace),
      stack: METHODS_WITH_STACK.has(type) ? formatStack(stackTrace) : null,
      exceptionId: null,
    }
    if (type === 'startGroup' || type === 'startGroupCollapsed') this.#groups.opened(session.sessionId, contextId)
    this.#recordValues(line, args, (values) => {
      const text = (type === 'table' ? formatTable(values[0]) : null) ?? formatConsoleArguments(args, values)
      return { text: textOf(type, text), stack: line.stack }
    })
  }

  #thrown(event: CdpEvents['Runtime.exceptionThrown'], sessionId: string | undefined): void {
    const session = this.#targets.source(sessionId)
    if (!session) return
    const { exception, stackTrace, text, url, lineNumber, columnNumber, exceptionId } = event.exceptionDetails
    const line: Line = {
      session,
      at: event.timestamp,
      level: 'ERROR',
      source: 'EXCEPTION',
      method: null,
      groupDepth: 0,
      place: placeOf(stackTrace) ?? (url ? { url, line: lineNumber + 1, column: columnNumber + 1 } : null),
      stack: formatStack(stackTrace),
      exceptionId: this.#exceptions.thrown(session.sessionId, exceptionId),
    }
    this.#recordValues(line, exception ? [exception] : [], ([value = null]) => {
      if (exception?.subtype !== 'error')
        return { text: uncaught(text, exception ? formatArgument(exception, value) : ''), stack: line.stack }
      const { description = '' } = exception
      const message = uncaught(text, messageOf(description))
      const hasFrames = messageOf(description) !== description
      if (!value) return { text: message, stack: hasFrames ? description : line.stack }
      return {
        text: message + formatErrorMembers(value, false),
        stack: hasFrames ? description + formatCauses(value) : line.stack,
      }
    })
  }

  #revoked({ reason, exceptionId }: CdpEvents['Runtime.exceptionRevoked'], sessionId: string | undefined): void {
    const session = this.#targets.source(sessionId)
    if (!session) return
    this.#recorder.record({
      kind: 'EXCEPTION_HANDLED',
      at: Date.now(),
      data: {
        exceptionId: this.#exceptions.handled(session.sessionId, exceptionId),
        message: cutText(reason, TEXT_LIMITS.failure),
        pageId: session.page?.pageId ?? null,
      },
    })
  }

  #recordEntry(event: CdpEvents['Log.entryAdded'], sessionId: string | undefined): void {
    const session = this.#targets.source(sessionId)
    const { source, level, text, timestamp, url, lineNumber, stackTrace, args } = event.entry
    // Messages of a worker's own session are repeated on that of its page.
    if (!session || source === 'worker') return
    const line: Line = {
      session,
      at: timestamp,
      level: BROWSER_LEVELS[level],
      source: 'BROWSER',
      method: null,
      groupDepth: 0,
      place:
        placeOf(stackTrace) ??
        (url ? { url, line: lineNumber === undefined ? null : lineNumber + 1, column: null } : null),
      stack: formatStack(stackTrace),
      exceptionId: null,
    }
    this.#recorder.record(draftOf(line, { text, stack: line.stack }, null, 0))
    if (args) this.#release(args, session.sessionId)
  }

  #recordValues(line: Line, args: readonly RemoteObject[], say: Say): void {
    const { sessionId } = line.session
    if (args.length === 0 || (args.length === 1 && args[0]!.type === 'string')) {
      const said = say(args.map(() => null))
      const isText = args[0]?.value === said.text
      return this.#recorder.record(draftOf(line, said, this.#stored(isText ? 'TEXT' : this.#valuesOf(args).values), 0))
    }
    const { budget, values } = this.#valuesOf(args)
    const make = () => {
      const kept = values.filter((value) => value !== null)
      return draftOf(line, say(values), this.#stored(kept), budget.omitted + countTruncated(kept))
    }
    const deep = new DeepLine(budget, sessionId)
    if (this.#capturesArguments && line.method !== 'TABLE') args.forEach((arg, index) => deep.note(arg, values[index]!))
    if (!this.#deep.canRead(deep)) {
      this.#recorder.record(make())
      return this.#release(args, sessionId)
    }
    const read = this.#deep.read(deep).finally(() => this.#release(args, sessionId))
    this.#drafts.hold(make, read, () => this.#deep.end(deep))
  }

  #valuesOf(args: readonly RemoteObject[]): { budget: ValueBudget; values: (ConsoleValue | null)[] } {
    const budget = new ValueBudget()
    const values = args.map((arg, index) => {
      if (index < ARGUMENT_LIMITS.members) return valueOf(arg, budget)
      budget.omitted += 1
      return null
    })
    return { budget, values }
  }

  #stored(values: 'TEXT' | readonly (ConsoleValue | null)[]): EntryData['CONSOLE_MESSAGE']['arguments'] {
    if (!this.#capturesArguments) return null
    return values === 'TEXT' ? values : values.filter((value) => value !== null)
  }

  /** Releases logged objects, or the page would keep each of them for its lifetime. */
  #release(args: readonly RemoteObject[], sessionId: string): void {
    if (args.some((argument) => argument.objectId !== undefined)) this.#releaseLater(sessionId)
  }

  #releaseLater(sessionId: string): void {
    const count = (this.#unreleased.get(sessionId) ?? 0) + 1
    // The first of a quiet page at once, then in groups: one command releases all objects logged so far.
    const isDue = count === 1 || count >= RELEASE_EVERY
    // Objects that are being read are released with the last of them.
    if (isDue && !this.#deep.isReading(sessionId)) {
      this.#connection.notify('Runtime.releaseObjectGroup', { objectGroup: 'console' }, sessionId)
      this.#unreleased.set(sessionId, 1)
    } else this.#unreleased.set(sessionId, count)
  }
}

function draftOf(
  { session, at, place, ...line }: Line,
  { text, stack }: ReturnType<Say>,
  args: EntryData['CONSOLE_MESSAGE']['arguments'],
  argumentsOmitted: number,
): EntryDraft<'CONSOLE_MESSAGE'> {
  const { level, source, method, groupDepth, exceptionId } = line
  return {
    kind: 'CONSOLE_MESSAGE',
    at: Math.round(at),
    data: {
      level,
      source,
      text: startOfText(text, TEXT_LIMITS.consoleText),
      url: place ? cutUrl(place.url) : null,
      line: place?.line ?? null,
      column: place?.column ?? null,
      stack: stack === null ? null : cutText(stack, TEXT_LIMITS.stack),
      pageId: session.page?.pageId ?? null,
      truncated: Math.max(0, text.length - TEXT_LIMITS.consoleText),
      method,
      groupDepth,
      arguments: args,
      argumentsOmitted,
      exceptionId,
    },
  }
}

function textOf(type: string, text: string): string {
  if (type === 'assert') return text === '' ? 'Assertion failed' : `Assertion failed: ${text}`
  return text === '' ? (STAND_INS[type] ?? '') : text
}

/** The browser's text is usually just "Uncaught", but may end with the message itself. */
function uncaught(text: string, message: string): string {
  return message === '' || (!BARE_UNCAUGHT.has(text) && text.endsWith(` ${message}`)) ? text : `${text} ${message}`
}

/** The URL that a message of the browser is about; one about a WebSocket has it in its text. */
function subjectOf({ text, url = '' }: CdpEvents['Log.entryAdded']['entry']): string {
  return /'(wss?:[^']*)'/.exec(text)?.[1] ?? url
}

interface Place {
  url: string
  line: number | null
  column: number | null
}

function placeOf(stack: StackTrace | undefined): Place | null {
  const frame = stack?.callFrames[0]
  return frame ? { url: frame.url, line: frame.lineNumber + 1, column: frame.columnNumber + 1 } : null
}
