import type { BrowserPool, BrowserSession, EventSink } from '../../src/ports/browser/browser.ts'

const PAGE = { pageId: 'p1', url: 'http://simulated.test/', title: 'simulated' }

/** Text of a line: when it was logged, in milliseconds since the epoch. */
const textOf = (at: number) => `${at} a line of a simulated page`
export const timeOfLine = (text: string): number => Number.parseInt(text, 10)

const unsupported = (): never => {
  throw new Error('a simulated browser only logs lines')
}

/**
 * The browser port without browsers: a session costs the server what it costs with one, but for the browser's own
 * messages. Each logs a line at an interval, from a random moment within the first one on.
 */
export function simulatedBrowsers(lineEveryMs: number): BrowserPool {
  return {
    acquire: (_, sink) => Promise.resolve(simulatedSession(sink, lineEveryMs)),
    warmCount: () => 1,
    unavailableRecordings: () => ({}),
    notReady: () => null,
    refusal: () => null,
    drain: () => {},
    describe: () => 'simulated browsers',
    close: () => Promise.resolve(),
  }
}

function simulatedSession(sink: EventSink, lineEveryMs: number): BrowserSession {
  const never = new Promise<string>(() => {})
  const log = () => sink.record(lineAt(Date.now()))
  let timer = setTimeout(() => {
    log()
    timer = setInterval(log, lineEveryMs)
  }, Math.random() * lineEveryMs)
  const done = () => Promise.resolve()
  return {
    crashed: never,
    misbehaved: never,
    pages: () => [PAGE],
    open: () => Promise.resolve({ ok: true, failure: null }),
    setViewport: done,
    setOffline: done,
    act: unsupported,
    observe: unsupported,
    picture: () => Promise.resolve(null),
    watch: unsupported,
    endWatching: () => {},
    dispatchInput: unsupported,
    storageState: unsupported,
    attachClient: unsupported,
    version: unsupported,
    ping: () => Promise.resolve(0),
    flush: () => {
      // Clears either kind of timer.
      clearTimeout(timer)
      return done()
    },
    finishFiles: done,
    close: () => {
      clearTimeout(timer)
      return done()
    },
    missingSince: () => null,
  }
}

const lineAt = (at: number) => ({
  kind: 'CONSOLE_MESSAGE' as const,
  at,
  data: {
    level: 'LOG' as const,
    source: 'CONSOLE' as const,
    text: textOf(at),
    url: PAGE.url,
    line: 1,
    column: 1,
    stack: null,
    pageId: PAGE.pageId,
    truncated: 0,
    method: 'LOG' as const,
    groupDepth: 0,
    arguments: 'TEXT' as const,
    argumentsOmitted: 0,
    exceptionId: null,
  },
})
