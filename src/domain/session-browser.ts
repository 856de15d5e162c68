import type { Logger } from 'pino'
import type { BrowserOptions, BrowserPool, BrowserSession, Recorder } from '../ports/browser.ts'
import type { EntryDraft } from '../ports/log-entry.ts'
import type { Viewport } from '../ports/store.ts'
import { TabwireError } from './errors.ts'

/** Each bounds one thing that could wait for ever. Milliseconds. */
export interface SessionDeadlines {
  launch: number
  /** For the browser to hand over what its pages said. */
  flush: number
  /** For recordings and downloads to be kept. */
  files: number
  /** The same when the server ends, which may take little longer. */
  filesInHaste: number
  /** After it the browser's process group is killed. */
  close: number
}

export const DEFAULT_DEADLINES: SessionDeadlines = {
  launch: 30_000,
  flush: 1000,
  files: 10_000,
  filesInHaste: 3_000,
  close: 2000,
}

/** The browser was asked and did not answer within its deadline. */
export class BrowserTimeout extends TabwireError {
  override readonly code = 'TIMEOUT'
}

/** A browser in the hands of a session: whatever is asked of it ends within a deadline. */
export class SessionBrowser {
  readonly browser: BrowserSession
  readonly #deadlines: SessionDeadlines
  readonly #logger: Logger

  private constructor(browser: BrowserSession, deadlines: SessionDeadlines, logger: Logger) {
    this.browser = browser
    this.#deadlines = deadlines
    this.#logger = logger
  }

  /** Rejects with a reason for people; then nothing of it is left. `viewport` tells what the session wants by then. */
  static async launch(
    pool: BrowserPool,
    options: BrowserOptions,
    viewport: () => Viewport,
    recorder: Recorder,
    deadlines: SessionDeadlines,
    logger: Logger,
    signal: AbortSignal,
  ): Promise<SessionBrowser> {
    const deadline = AbortSignal.timeout(deadlines.launch)
    try {
      const asked = viewport()
      const either = AbortSignal.any([signal, deadline])
      const browser = await pool.acquire({ ...options, viewport: asked }, recorder, either)
      // updateSession may have changed it while the browser started.
      if (viewport() !== asked) await resizeFresh(browser, viewport())
      return new SessionBrowser(browser, deadlines, logger)
    } catch (error) {
      if (!deadline.aborted) throw error
      throw new Error(`The browser did not start within ${deadlines.launch / 1000} s.`, { cause: error })
    }
  }

  /** Throws BrowserTimeout when the browser does not take it. */
  async setViewport(viewport: Viewport): Promise<void> {
    try {
      await this.browser.setViewport(viewport)
    } catch (error) {
      this.#logger.warn({ err: error }, 'a viewport could not be set')
      throw new BrowserTimeout('The browser did not take the new viewport in time; nothing was changed.')
    }
  }

  /** A browser that is gone can be asked nothing, but what it has told already is still to be written down. */
  async flush(isGone: boolean): Promise<void> {
    await this.#tried('flush', this.browser.flush(isGone ? 0 : this.#deadlines.flush))
  }

  async finishFiles(inHaste: boolean): Promise<void> {
    const { files, filesInHaste } = this.#deadlines
    await this.#tried('last files', this.browser.finishFiles(inHaste ? filesInHaste : files))
  }

  async close(): Promise<void> {
    await this.#tried('close', this.browser.close(this.#deadlines.close))
  }

  /** Call after `close`: the entry that says what is missing; null: nothing is. */
  unheard(at: number): EntryDraft<'ENTRIES_DROPPED'> | null {
    const since = this.browser.unheardSince()
    if (since === null) return null
    const data = { reason: 'TERMINATED', count: null, countsByKind: {}, from: Math.min(since, at), to: at } as const
    return { kind: 'ENTRIES_DROPPED', at, data }
  }

  /** The end of a session goes on whatever one part of it does. */
  async #tried(what: string, work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#logger.error({ err: error }, `the ${what} of a browser failed`)
    }
  }
}

async function resizeFresh(browser: BrowserSession, viewport: Viewport): Promise<void> {
  try {
    await browser.setViewport(viewport)
  } catch (error) {
    // Nobody else knows of it yet.
    await browser.close(0)
    throw error
  }
}
