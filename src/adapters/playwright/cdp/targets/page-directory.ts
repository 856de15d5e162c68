import type { BrowserContext, Page } from 'playwright'
import { HOLDING_MS } from '../barrier/paused-target.ts'
import { Deadline } from '../../../../async/deadline.ts'
import { tenantContext } from '../../library/tenant-context.ts'
import type { TargetRegistry } from './target-registry.ts'
import type { PausedTargets } from './page-answers.ts'

/** How long Playwright may take to create its page after the browser has reported it. */
const MAKING_MS = 2_000

/**
 * Maps Playwright's pages to those of the session. Playwright reveals the target of a page only through a CDP session,
 * so each page is asked once, when it is first needed.
 */
export class PageDirectory {
  readonly #context: BrowserContext
  readonly #tenantContext: BrowserContext
  readonly #targets: TargetRegistry
  readonly #pausedTargets: PausedTargets
  readonly #targetIds = new WeakMap<Page, Promise<string | null>>()

  constructor(context: BrowserContext, targets: TargetRegistry, pausedTargets: PausedTargets) {
    this.#context = context
    this.#tenantContext = tenantContext(context)
    this.#targets = targets
    this.#pausedTargets = pausedTargets
  }

  /** The oldest if `pageId` is null; null: there is no such page (any more). */
  async find(pageId: string | null): Promise<{ page: Page; pageId: string } | null> {
    const wanted = pageId ?? this.#targets.pages()[0]?.pageId ?? null
    const targetId = wanted === null ? null : this.#targets.targetIdOf(wanted)
    if (wanted === null || targetId === null) return null
    const page = (await this.#look(targetId)) ?? (await this.#untilMade(targetId))
    return page ? { page, pageId: wanted } : null
  }

  /** Null if the page is already gone. */
  async pageIdOf(page: Page): Promise<string | null> {
    const targetId = await this.#targetIdOf(page)
    return targetId === null ? null : this.#targets.pageIdOf(targetId)
  }

  /** Id in the session of a page that was opened just now. Null if it is already gone. */
  async newPageIdOf(page: Page): Promise<string | null> {
    const targetId = await this.#targetIdOf(page)
    if (targetId === null) return null
    this.#targets.show(targetId)
    return this.#targets.pageIdOf(targetId)
  }

  /** Asks the browser, never the page, which may be unresponsive. */
  async refresh(): Promise<void> {
    await this.#targets.refresh()
  }

  /** Terminates the script that blocks an unresponsive page. */
  async endScript(page: Page): Promise<void> {
    const pageId = await this.pageIdOf(page)
    if (pageId !== null) await this.#targets.endScript(pageId)
  }

  state(pageId: string): { url: string; title: string } | null {
    return this.#targets.pages().find((page) => page.pageId === pageId) ?? null
  }

  /** Does not wait for other pages: one that crashed before it was first asked does not respond. */
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

  /** A popup is reported before Playwright has created its page. */
  async #untilMade(targetId: string): Promise<Page | null> {
    const { promise, resolve } = Promise.withResolvers<Page | null>()
    const look = () => {
      void this.#look(targetId).then((page) => {
        if (page || this.#targets.pageIdOf(targetId) === null) resolve(page)
      })
    }
    // A popup held by other owners is created once they have released it.
    const held = this.#pausedTargets.whenResumed() ?? Promise.resolve()
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
    return this.#targets.isOfSession(targetId) ? this.#context : this.#tenantContext
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
      // An unresponsive page does not complete a detach; the browser has reported its target all the same.
      session.detach().catch(() => undefined)
      return targetInfo.targetId
    } catch {
      // It was closed meanwhile; one that still exists is asked again.
      this.#targetIds.delete(page)
      return null
    }
  }
}
