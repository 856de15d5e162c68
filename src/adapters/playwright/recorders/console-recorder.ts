import { TEXT_LIMITS, type ConsoleLevel, type ConsoleSource } from '../../../ports/log-entry.ts'
import type { EventSink } from '../../../ports/browser.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { CdpEvents, RemoteObject, StackTrace } from '../cdp/protocol/cdp-events.ts'
import type { ConnectionOutcomes } from '../network/connection-outcomes.ts'
import { formatConsoleArguments, formatStack, formatValue } from './console-text.ts'
import { cutText, cutUrl, startOfText } from '../cdp/protocol/cut-text.ts'
import { isOfWorker, type TooLarge } from '../cdp/pipe/oversized-message.ts'
import { isWorker, type TargetRegistry, type TrackedSession } from '../cdp/targets/target-registry.ts'

/** Methods of console by the level at which they are told; all others, such as dir, table and trace, are LOG. */
const METHOD_LEVELS: Readonly<Record<string, ConsoleLevel>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warning: 'WARNING',
  error: 'ERROR',
  assert: 'ERROR',
}

const BROWSER_LEVELS: Readonly<Record<CdpEvents['Log.entryAdded']['entry']['level'], ConsoleLevel>> = {
  verbose: 'DEBUG',
  info: 'INFO',
  warning: 'WARNING',
  error: 'ERROR',
}

/** Methods of console of which people ask "who called it?". */
const METHODS_WITH_STACK: ReadonlySet<string> = new Set(['error', 'assert', 'trace'])

/** What the browser says of a thrown value whose text it does not give. */
const BARE_UNCAUGHT: ReadonlySet<string> = new Set(['Uncaught', 'Uncaught (in promise)'])

/** Objects that were logged stay alive in the page until they are released; this many are let go at a time. */
const RELEASE_EVERY = 200

/** The browser tells a failure after it happened. */
const TOLD_LATER_MS = 1_000

/** Playwright's own signal to itself in setContent, told by way of the console. */
const PLAYWRIGHT_TAG = '--playwright--'

/** Everything a browser's console would show: console.*, uncaught exceptions, the browser's own messages, workers' too. */
export class ConsoleRecorder {
  readonly #wire: CdpConnection
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #unreleased = new Map<string, number>()

  constructor(wire: CdpConnection, targets: TargetRegistry, recorder: EventSink, connections: ConnectionOutcomes) {
    this.#wire = wire
    this.#targets = targets
    this.#recorder = recorder
    wire.on('Runtime.consoleAPICalled', (event, sessionId) => this.#called(event, sessionId))
    wire.on('Runtime.exceptionThrown', (event, sessionId) => this.#thrown(event, sessionId))
    wire.on('Log.entryAdded', (event, sessionId) => {
      const { entry } = event
      if (!connections.isHidden(entry.text)) return this.#told(event, sessionId)
      connections.explain(entry.text, subjectOf(entry), entry.timestamp - TOLD_LATER_MS, (text) => {
        entry.text = text
        this.#told(event, sessionId)
      })
    })
  }

  /** Nothing is left to be let go. */
  sessionEnded({ sessionId }: TrackedSession): void {
    this.#unreleased.delete(sessionId)
  }

  /** A line that could not be read. */
  tooLarge(event: TooLarge): void {
    const { method, sessionId } = event
    const isLine =
      method === 'Runtime.consoleAPICalled' ||
      method === 'Runtime.exceptionThrown' ||
      (method === 'Log.entryAdded' && !isOfWorker(event))
    const session = isLine && sessionId !== null ? this.#targets.speaker(sessionId) : undefined
    if (!session) return
    this.#recorder.missed('CONSOLE_MESSAGE', 'MESSAGE_TOO_LARGE')
    this.#wire.tell('Runtime.releaseObjectGroup', { objectGroup: 'console' }, session.sessionId)
  }

  /** A line that came too late to be read; the objects that it told of are let go with those of others. */
  leftOut(sessionId: string): void {
    if (!this.#targets.speaker(sessionId)) return
    this.#recorder.missed('CONSOLE_MESSAGE', 'FLOOD')
    this.#releaseLater(sessionId)
  }

  #called(event: CdpEvents['Runtime.consoleAPICalled'], sessionId: string | undefined): void {
    const session = this.#targets.speaker(sessionId)
    // Context 0 marks messages of the past, which the browser repeats when a session is opened.
    if (!session || event.executionContextId === 0) return
    const { type, args, stackTrace } = event
    if (type === 'debug' && typeof args[0]?.value === 'string' && args[0].value.startsWith(PLAYWRIGHT_TAG)) return
    const text = formatConsoleArguments(args)
    this.#record(
      session,
      event.timestamp,
      METHOD_LEVELS[type] ?? 'LOG',
      isWorker(session) ? 'WORKER' : 'CONSOLE',
      type === 'assert' ? `Assertion failed: ${text}` : text,
      placeOf(stackTrace),
      METHODS_WITH_STACK.has(type) ? formatStack(stackTrace) : null,
    )
    this.#release(args, session.sessionId)
  }

  #thrown(event: CdpEvents['Runtime.exceptionThrown'], sessionId: string | undefined): void {
    const session = this.#targets.speaker(sessionId)
    if (!session) return
    const { exception, stackTrace, text, url, lineNumber, columnNumber } = event.exceptionDetails
    const description = exception ? formatValue(exception) : ''
    const isError = exception?.subtype === 'error'
    // V8 describes an error by its stack: "TypeError: message", then a line a frame.
    const frames = isError ? description.search(/\n {4}at /) : -1
    const message = frames === -1 ? description : description.slice(0, frames)
    this.#record(
      session,
      event.timestamp,
      'ERROR',
      'EXCEPTION',
      // The browser's text is mostly a mere "Uncaught", but may end with the message itself.
      message === '' || (!BARE_UNCAUGHT.has(text) && text.endsWith(` ${message}`)) ? text : `${text} ${message}`,
      placeOf(stackTrace) ?? (url ? { url, line: lineNumber + 1, column: columnNumber + 1 } : null),
      isError && frames !== -1 ? description : formatStack(stackTrace),
    )
    if (exception) this.#release([exception], session.sessionId)
  }

  #told(event: CdpEvents['Log.entryAdded'], sessionId: string | undefined): void {
    const session = this.#targets.speaker(sessionId)
    const { source, level, text, timestamp, url, lineNumber, stackTrace, args } = event.entry
    // What a worker throws is told twice: here, to its page, and as an exception on the worker's own session.
    if (!session || source === 'worker') return
    this.#record(
      session,
      timestamp,
      BROWSER_LEVELS[level],
      isWorker(session) ? 'WORKER' : 'BROWSER',
      text,
      placeOf(stackTrace) ??
        (url ? { url, line: lineNumber === undefined ? null : lineNumber + 1, column: null } : null),
      formatStack(stackTrace),
    )
    if (args) this.#release(args, session.sessionId)
  }

  #record(
    session: TrackedSession,
    at: number,
    level: ConsoleLevel,
    source: ConsoleSource,
    text: string,
    place: Place | null,
    stack: string | null,
  ): void {
    this.#recorder.record({
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
      },
    })
  }

  /** Lets go of the objects that were logged, else the page keeps each of them for as long as it lives. */
  #release(args: readonly RemoteObject[], sessionId: string): void {
    if (args.some((argument) => argument.objectId !== undefined)) this.#releaseLater(sessionId)
  }

  #releaseLater(sessionId: string): void {
    const count = (this.#unreleased.get(sessionId) ?? 0) + 1
    // The first of a quiet page at once, then in groups: one command frees all that were logged until then.
    if (count === 1 || count % RELEASE_EVERY === 0) {
      this.#wire.tell('Runtime.releaseObjectGroup', { objectGroup: 'console' }, sessionId)
    }
    this.#unreleased.set(sessionId, count)
  }
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
