import type { Logger } from 'pino'
import type { BrowserOptions, BrowserPool, BrowserSession, OpenOutcome, EventSink } from '../../ports/browser.ts'
import type { CutFailure, EntryDraft } from '../../ports/log-entry.ts'
import { TabwireError } from '../kernel/errors.ts'
import { Deadline } from '../../async/deadline.ts'

/** Each bounds one thing that could wait for ever. Milliseconds. */
export interface SessionDeadlines {
  launch: number
  /** For the host of initialPrompt to respond: less than startSession waits, so that it tells. */
  firstPage: number
  /** For the browser to hand over what its pages said. */
  flush: number
  /** For recordings and downloads to be kept. */
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

/** Shares of the time that an end in haste has left. A browser is killed then: to ask it takes long under load. */
const HASTE = { flush: 0.15, files: 0.6, close: 0 } as const
/** How much longer than it was told something may take before the end goes on without it. */
const GRACE_MS = 250

/** The browser was asked and did not answer within its deadline. */
export class BrowserTimeout extends TabwireError {
  override readonly code = 'TIMEOUT'
}

/** A browser in the hands of a session: whatever is asked of it ends within a deadline. */
/** What updateSession changes of a browser. */
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

  /** Rejects with a reason for people; then nothing of it is left. `wanted` tells what the session wants by then. */
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
   * As BrowserSession.open, but nothing is waited for that has not begun to arrive within the deadline; the browser goes on
   * trying until the signal, and `late` is its result. `hasArrived`: whether a document is there, and only what it refers to
   * is not.
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

  /** Throws BrowserTimeout when the browser does not take it. */
  async change({ viewport, offline }: Partial<Wanted>): Promise<void> {
    let what = 'viewport'
    try {
      if (viewport) await this.browser.setViewport(viewport)
      what = 'value of offline'
      if (offline !== undefined) await this.browser.setOffline(offline)
    } catch (error) {
      this.#logger.warn({ err: error }, 'a browser did not take a change')
      throw new BrowserTimeout(`The browser did not take the new ${what} in time; the session was not changed.`)
    }
  }

  /** The server is going down: all must be done by then, on the clock of `performance.now`, also what has begun. */
  hurry(until: number): void {
    this.#until = until
    this.#late ??= setTimeout(() => this.#tooLate.abort(), Math.max(0, until - performance.now()) * HASTE.files)
  }

  /** A browser that is gone can be asked nothing, but what it has told already is still to be written down. */
  async flush(isGone: boolean, cutBy: CutFailure): Promise<void> {
    const deadline = isGone ? 0 : this.#deadline('flush')
    await this.#tried('flush', this.browser.flush(deadline, cutBy), deadline)
  }

  async finishFiles(): Promise<void> {
    const deadline = this.#deadline('files')
    await this.#tried('last files', this.browser.finishFiles(deadline), deadline)
  }

  /** Takes longer than its deadline only while a process hangs in the kernel. */
  async close(): Promise<void> {
    clearTimeout(this.#late)
    await this.#tried('close', this.browser.close(this.#deadline('close')), null)
  }

  #deadline(of: keyof typeof HASTE): number {
    const left = Math.max(0, this.#until - performance.now())
    // Nothing times infinity is no number.
    if (left === Number.POSITIVE_INFINITY) return this.#deadlines[of]
    return Math.min(this.#deadlines[of], left * HASTE[of])
  }

  /** Call after `close`: the entry that says what is missing; null: nothing is. */
  unheard(at: number): EntryDraft<'ENTRIES_DROPPED'> | null {
    const since = this.browser.unheardSince()
    if (since === null) return null
    const data = { reason: 'TERMINATED', count: null, countsByKind: {}, from: Math.min(since, at), to: at } as const
    return { kind: 'ENTRIES_DROPPED', at, data }
  }

  /** The end of a session goes on whatever one part of it does. */
  async #tried(what: string, work: Promise<void>, deadlineMs: number | null): Promise<void> {
    try {
      if (deadlineMs === null) return await work
      let isDone = false
      const working = work.then(() => {
        isDone = true
      })
      await Deadline.isMet(working, deadlineMs, this.#tooLate.signal)
      // Begun only now: where the server itself stood still, both times would be up before anything had a chance.
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
    // Nobody else knows of it yet.
    await browser.close(0)
    throw error
  }
}
