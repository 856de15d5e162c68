import type { Logger } from 'pino'
import type {
  BrowserOptions,
  BrowserPool,
  BrowserSession,
  OpenOutcome,
  EventSink,
} from '../../ports/browser/browser.ts'
import type { CutFailure, EntryDraft } from '../../ports/log/log-entry.ts'
import { TabwireError } from '../kernel/errors.ts'
import { Deadline } from '../../async/deadline.ts'

/** Deadlines for everything that could otherwise wait forever. Milliseconds. */
export interface SessionDeadlines {
  launch: number
  /** For the host of initialPrompt to respond: less than startSession waits, so that the caller gets the error. */
  firstPage: number
  /** For the browser to deliver pending events of its pages. */
  flush: number
  /** For recordings and downloads to be saved. */
  files: number
  /** After it the browser's process group is killed. */
  close: number
}

export const DEFAULT_DEADLINES: SessionDeadlines = {
  launch: 30_000,
  firstPage: 25_000,
  flush: 1000,
  files: 10_000,
  close: 2000,
}

/**
 * Shares of the time left in a hurried end. The browser is then killed: closing it gracefully takes long under load.
 */
const HASTE = { flush: 0.15, files: 0.6, close: 0 } as const
/** Extra time for a step beyond its deadline before the end continues without it. */
const GRACE_MS = 250

/** The browser did not respond within its deadline. */
export class BrowserTimeout extends TabwireError {
  override readonly code = 'TIMEOUT'
}

/** A browser leased to a session: every call ends within a deadline. */
/** Browser options that updateSession can change. */
type Wanted = Pick<BrowserOptions, 'viewport' | 'offline'>

export class BrowserLease {
  readonly browser: BrowserSession
  readonly #deadlines: SessionDeadlines
  readonly #logger: Logger
  #until = Number.POSITIVE_INFINITY
  #late: NodeJS.Timeout | undefined
  readonly #tooLate = new AbortController()

  private constructor(browser: BrowserSession, deadlines: SessionDeadlines, logger: Logger) {
    this.browser = browser
    this.#deadlines = deadlines
    this.#logger = logger
  }

  /**
   * Rejects with a human-readable reason, and leaves nothing of the browser behind. `wanted` returns the session's
   * current options.
   */
  static async launch(
    pool: BrowserPool,
    options: BrowserOptions,
    wanted: () => Wanted,
    recorder: EventSink,
    deadlines: SessionDeadlines,
    logger: Logger,
    signal: AbortSignal,
  ): Promise<BrowserLease> {
    using deadline = new Deadline(deadlines.launch, [signal])
    try {
      const { viewport, offline } = wanted()
      const browser = await pool.acquire({ ...options, viewport, offline }, recorder, deadline.signal)
      // updateSession may have changed it while the browser started.
      await changeFresh(browser, { viewport, offline }, wanted())
      return new BrowserLease(browser, deadlines, logger)
    } catch (error) {
      if (!deadline.hasExpired) throw error
      throw new Error(`The browser did not start within ${deadlines.launch / 1000} s.`, { cause: error })
    }
  }

  /**
   * Like BrowserSession.open, but it stops waiting if nothing has arrived within the deadline; the browser keeps
   * trying until the signal, and `late` is its result. `hasArrived`: whether the document has arrived, with only
   * subresources missing.
   */
  async open(
    url: string,
    hasArrived: () => boolean,
    signal: AbortSignal,
  ): Promise<OpenOutcome | { limitMs: number; late: Promise<OpenOutcome> }> {
    const opening = this.browser.open(url, signal)
    const limitMs = this.#deadlines.firstPage
    const opened = await Deadline.result(opening, limitMs, signal)
    return opened ?? (signal.aborted || hasArrived() ? opening : { limitMs, late: opening })
  }

  /** Throws BrowserTimeout if the browser does not accept it. */
  async change({ viewport, offline }: Partial<Wanted>): Promise<void> {
    let what = 'viewport'
    try {
      if (viewport) await this.browser.setViewport(viewport)
      what = 'value of offline'
      if (offline !== undefined) await this.browser.setOffline(offline)
    } catch (error) {
      this.#logger.warn({ err: error }, 'a browser did not apply a change')
      throw new BrowserTimeout(`The browser did not apply the new ${what} in time; the session was not changed.`)
    }
  }

  /**
   * The server is shutting down: all work, including work in progress, must be done by then, on the clock of
   * `performance.now`.
   */
  hurry(until: number): void {
    this.#until = until
    this.#late ??= setTimeout(() => this.#tooLate.abort(), Math.max(0, until - performance.now()) * HASTE.files)
  }

  /** A browser that is gone cannot be queried, but events that it has already sent must still be recorded. */
  async flush(isGone: boolean, cutBy: CutFailure): Promise<void> {
    const deadline = isGone ? 0 : this.#deadline('flush')
    await this.#tried('flush', this.browser.flush(deadline, cutBy), deadline)
  }

  async finishFiles(): Promise<void> {
    const deadline = this.#deadline('files')
    await this.#tried('last files', this.browser.finishFiles(deadline), deadline)
  }

  /** Exceeds its deadline only while a process hangs in the kernel. */
  async close(): Promise<void> {
    clearTimeout(this.#late)
    await this.#tried('close', this.browser.close(this.#deadline('close')), null)
  }

  #deadline(of: keyof typeof HASTE): number {
    const left = Math.max(0, this.#until - performance.now())
    // Zero times infinity is NaN.
    if (left === Number.POSITIVE_INFINITY) return this.#deadlines[of]
    return Math.min(this.#deadlines[of], left * HASTE[of])
  }

  /** Call after `close`: an entry about missing events; null if none are missing. */
  missingReports(at: number): EntryDraft<'ENTRIES_DROPPED'> | null {
    const since = this.browser.missingSince()
    if (since === null) return null
    const data = { reason: 'TERMINATED', count: null, countsByKind: {}, from: Math.min(since, at), to: at } as const
    return { kind: 'ENTRIES_DROPPED', at, data }
  }

  /** The end of a session continues regardless of the outcome of each step. */
  async #tried(what: string, work: Promise<void>, deadlineMs: number | null): Promise<void> {
    try {
      if (deadlineMs === null) return await work
      let isDone = false
      const working = work.then(() => {
        isDone = true
      })
      await Deadline.isMet(working, deadlineMs, this.#tooLate.signal)
      // Started only now: if the server itself was suspended, both timers would already have expired.
      if (!isDone) await Deadline.isMet(working, GRACE_MS, this.#tooLate.signal)
      if (isDone) return
      working.catch((error: unknown) => this.#logger.warn({ err: error }, `the ${what} of a browser failed late`))
      this.#logger.warn({ deadlineMs }, `the ${what} of a browser took too long: its session ends without the rest`)
    } catch (error) {
      this.#logger.error({ err: error }, `the ${what} of a browser failed`)
    }
  }
}

async function changeFresh(browser: BrowserSession, had: Wanted, wanted: Wanted): Promise<void> {
  try {
    if (wanted.viewport !== had.viewport) await browser.setViewport(wanted.viewport)
    if (wanted.offline !== had.offline) await browser.setOffline(wanted.offline)
  } catch (error) {
    // It has no other owner yet.
    await browser.close(0)
    throw error
  }
}
