import type { BrowserSession } from '../../ports/browser/browser.ts'
import type { InputEvent } from '../../contract/input-event.ts'
import type { PageFrames, PictureOptions } from '../../ports/browser/live-view.ts'
import { NotFound } from '../kernel/errors.ts'

/** Resolution of the last input's time: a moving mouse would update it many times a second. */
const ACTIVITY_MS = 250

/** What live view needs from its session. */
export interface LiveHost {
  /** Throws SessionNotRunning. */
  browser(): BrowserSession
  /** Activity: resets the idle timeout. */
  active(): void
}

/** Viewers of one session's pages, and their manual input. Input counts as activity, watching does not. */
export class LiveViewHost {
  readonly #host: LiveHost
  #activeAt = Number.NEGATIVE_INFINITY

  constructor(host: LiveHost) {
    this.#host = host
  }

  /** See BrowserSession.watch. Throws SessionNotRunning or NotFound (the page). */
  watch(pageId: string | null, options: PictureOptions, signal: AbortSignal): PageFrames {
    const browser = this.#host.browser()
    requirePage(browser, pageId)
    return browser.watch(pageId, options, signal)
  }

  /** False if the page did not take all of it in time. Throws SessionNotRunning or NotFound (the page). */
  async dispatchInput(pageId: string | null, events: readonly InputEvent[]): Promise<boolean> {
    const browser = this.#host.browser()
    requirePage(browser, pageId)
    this.#noteActivity()
    const outcome = await browser.dispatchInput(pageId, events)
    // It may have ended in the meantime, and then the fate of the events is unknown.
    this.#host.browser()
    if (outcome === 'NO_PAGE') throw new NotFound('page')
    return outcome === 'TAKEN'
  }

  #noteActivity(): void {
    const now = performance.now()
    if (now - this.#activeAt < ACTIVITY_MS) return
    this.#activeAt = now
    this.#host.active()
  }
}

function requirePage(browser: BrowserSession, pageId: string | null): void {
  if (pageId !== null && !browser.pages().some((page) => page.pageId === pageId)) throw new NotFound('page')
}
