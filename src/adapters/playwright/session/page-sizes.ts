import type { BrowserContext, Page } from 'playwright'
import type { Logger } from '../../../logger.ts'
import type { Viewport } from '../../../ports/base/viewport.ts'
import { Deadline } from '../../../async/deadline.ts'

/** An unresponsive page does not apply the size. */
const RESIZE_MS = 2_000

/** The viewport of all pages of a session; unresponsive ones get it as soon as they can. */
export class PageSizes {
  readonly #context: BrowserContext
  readonly #logger: Logger
  /** The wanted viewport of all pages; null: that of the context. */
  #wanted: Viewport | null = null
  readonly #underWay = new WeakMap<Page, Promise<void>>()

  constructor(context: BrowserContext, logger: Logger) {
    this.#context = context
    this.#logger = logger
    context.on('page', (page) => {
      // New pages get the viewport that the context was created with.
      if (this.#wanted) void this.#resize(page)
    })
  }

  /**
   * Resolves when all pages have it, or after a while if the browser responds and only pages do not: these apply it
   * when they respond again, or at their next navigation. Rejects when the browser does not respond either; `ask` sends
   * it a command.
   */
  async set(viewport: Viewport, ask: (timeoutMs: number) => Promise<number | null>): Promise<void> {
    const previous = this.#wanted
    this.#wanted = viewport
    const resized = Promise.all(this.#context.pages().map((page) => this.#resize(page)))
    const answered = ask(RESIZE_MS)
    if (await Deadline.isMet(resized, RESIZE_MS)) return
    if ((await answered) !== null) return
    if (this.#wanted === viewport) this.#wanted = previous
    throw new Error(`the browser did not apply the new viewport within ${RESIZE_MS / 1000} s`)
  }

  /** Resolves when the page has the wanted size, which may have changed meanwhile, or is gone. */
  #resize(page: Page): Promise<void> {
    const resizing = this.#underWay.get(page) ?? this.#follow(page)
    this.#underWay.set(page, resizing)
    return resizing
  }

  /** One at a time: Playwright skips a size that the page had before one that is still pending. */
  async #follow(page: Page): Promise<void> {
    let given: Viewport | null = null
    while (this.#wanted && this.#wanted !== given) {
      given = this.#wanted
      try {
        await page.setViewportSize(given)
      } catch (error) {
        // A page may close, or have crashed, meanwhile.
        if (!page.isClosed()) this.#logger.debug({ err: error }, 'a page could not be resized')
      }
    }
    this.#underWay.delete(page)
  }
}
