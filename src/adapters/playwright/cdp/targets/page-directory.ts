import type { BrowserContext, Page } from 'playwright'
import { HOLDING_MS } from '../barrier/paused-target.ts'
import { Deadline } from '../../../../async/deadline.ts'
import { guestContext } from '../../library/tenant-context.ts'
import type { TargetRegistry } from './target-registry.ts'
import type { Holds } from './page-answers.ts'

/** How long Playwright may take to make a page of one that the browser has told of. */
const MAKING_MS = 2_000

/**
 * Which of Playwright's pages is which of the session's. Playwright does not tell the target of a page but through a
 * session of the protocol, so each page is asked once, when it first matters.
 */
export class PageDirectory {
  readonly #context: BrowserContext
  readonly #guests: BrowserContext
  readonly #targets: TargetRegistry
  readonly #holds: Holds
  readonly #targetIds = new WeakMap<Page, Promise<string | null>>()

  constructor(context: BrowserContext, targets: TargetRegistry, holds: Holds) {
    this.#context = context
    this.#guests = guestContext(context)
    this.#targets = targets
    this.#holds = holds
  }

  /** The oldest where null is asked for; null: there is no such page (any more). */
  async find(pageId: string | null): Promise<{ page: Page; pageId: string } | null> {
    const wanted = pageId ?? this.#targets.pages()[0]?.pageId ?? null
    const targetId = wanted === null ? null : this.#targets.targetIdOf(wanted)
    if (wanted === null || targetId === null) return null
    const page = (await this.#look(targetId)) ?? (await this.#untilMade(targetId))
    return page ? { page, pageId: wanted } : null
  }

  /** Null when the page is gone already. */
  async pageIdOf(page: Page): Promise<string | null> {
    const targetId = await this.#targetIdOf(page)
    return targetId === null ? null : this.#targets.pageIdOf(targetId)
  }

  /** The id of a page that was opened just now, for the session. Null when it is gone already. */
  async newPageIdOf(page: Page): Promise<string | null> {
    const targetId = await this.#targetIdOf(page)
    if (targetId === null) return null
    this.#targets.show(targetId)
    return this.#targets.pageIdOf(targetId)
  }

  /** Asks the browser, never the page, which may hang. */
  async refresh(): Promise<void> {
    await this.#targets.refresh()
  }

  /** Ends the script that holds up a page which does not answer. */
  async endScript(page: Page): Promise<void> {
    const pageId = await this.pageIdOf(page)
    if (pageId !== null) await this.#targets.endScript(pageId)
  }

  state(pageId: string): { url: string; title: string } | null {
    return this.#targets.pages().find((page) => page.pageId === pageId) ?? null
  }

  /** Waits for no other page: one that crashed before it was ever asked does not answer. */
  #look(targetId: string): Promise<Page | null> {
    const pages = this.#contextOf(targetId)
      .pages()
      .filter((page) => !page.isClosed())
    const { promise, resolve } = Promise.withResolvers<Page | null>()
    const asked = pages.map(async (page) => {
      if ((await this.#targetIdOf(page)) === targetId) resolve(page)
    })
    void Promise.all(asked).then(() => resolve(null))
    return promise
  }

  /** A popup is told before Playwright has made a page of it. */
  async #untilMade(targetId: string): Promise<Page | null> {
    const { promise, resolve } = Promise.withResolvers<Page | null>()
    const look = () => {
      void this.#look(targetId).then((page) => {
        if (page || this.#targets.pageIdOf(targetId) === null) resolve(page)
      })
    }
    // One that is held for those who prepare it is made when they have.
    const held = this.#holds.whenFree() ?? Promise.resolve()
    const late = Deadline.isMet(held, HOLDING_MS).then(() => Deadline.result(promise, MAKING_MS))
    const context = this.#contextOf(targetId)
    context.on('page', look)
    try {
      look()
      return await Promise.race([promise, late])
    } finally {
      context.off('page', look)
    }
  }

  #contextOf(targetId: string): BrowserContext {
    return this.#targets.isOfSession(targetId) ? this.#context : this.#guests
  }

  #targetIdOf(page: Page): Promise<string | null> {
    const known = this.#targetIds.get(page)
    if (known) return known
    const asked = this.#ask(page)
    this.#targetIds.set(page, asked)
    return asked
  }

  async #ask(page: Page): Promise<string | null> {
    try {
      const session = await page.context().newCDPSession(page)
      const { targetInfo } = await session.send('Target.getTargetInfo')
      // A page that hangs takes no leave; the browser has told all the same.
      session.detach().catch(() => undefined)
      return targetInfo.targetId
    } catch {
      // It closed meanwhile; one that is still there is asked again.
      this.#targetIds.delete(page)
      return null
    }
  }
}
