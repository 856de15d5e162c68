import type { PageState } from '../../ports/browser.ts'
import { TEXT_LIMITS, type EntryData } from '../../ports/log-entry.ts'
import type { SessionRecord } from '../../ports/session-record.ts'
import { cutText } from '../kernel/errors.ts'
import type { SessionLog } from '../log/session-log.ts'

/** Actions that open an address. */
const NAVIGATING: ReadonlySet<string> = new Set(['NAVIGATE', 'OPEN_PAGE'])
/** Others say that nothing was asked of the page: the input made no sense, the step was not begun. */
const FAILURES: ReadonlySet<string> = new Set(['NAVIGATION_FAILED', 'TIMEOUT', 'BLOCKED'])
const MOST_PAGES = 100

type Shown = Pick<SessionRecord, 'currentUrl' | 'title' | 'lastNavigationError'>
type Acted = Pick<EntryData['ACTION'], 'type' | 'origin' | 'pageId' | 'startedAt' | 'error' | 'details'>

/**
 * What a session shows: URL and title of its first page, and whether the last navigation that was asked for worked. It is
 * state, of which the last counts, so it is known at once, not when it is committed: commits come later and in pieces.
 */
export class ShownPage {
  readonly #log: Pick<SessionLog, 'patch'>
  readonly #changed: () => void
  /** When a page last showed a document, by its id, the last one last. */
  readonly #arrivals = new Map<string, number>()
  #shown: Shown
  #failedPageId: string | null = null

  constructor(record: SessionRecord, log: Pick<SessionLog, 'patch'>, changed: () => void) {
    const { currentUrl, title, lastNavigationError } = record
    this.#shown = { currentUrl, title, lastNavigationError }
    this.#log = log
    this.#changed = changed
  }

  get state(): Shown {
    return this.#shown
  }

  /** The first page is this one now. */
  shows({ url: currentUrl, title }: PageState): void {
    if (currentUrl !== this.#shown.currentUrl || title !== this.#shown.title) this.#set({ currentUrl, title })
  }

  /** See Recorder.arrived. Another page than the one that failed says nothing about it, such as a popup. */
  arrived(pageId: string): void {
    this.#arrivals.delete(pageId)
    this.#arrivals.set(pageId, Date.now())
    const [oldest] = this.#arrivals.keys()
    if (oldest !== undefined && this.#arrivals.size > MOST_PAGES) this.#arrivals.delete(oldest)
    if (this.#failedPageId === null || this.#failedPageId === pageId) this.#worked()
  }

  /** Whether the page has shown a document since then. */
  hasArrivedSince(pageId: string | null, startedAt: number): boolean {
    return pageId !== null && (this.#arrivals.get(pageId) ?? 0) > startedAt
  }

  /** Call before the action's entry is appended, so that both are committed together. */
  acted({ type, origin, pageId, startedAt, error, details }: Acted, at: number): void {
    const { url } = details
    if (!NAVIGATING.has(type) || typeof url !== 'string') return
    // A client of the browser's protocol is told by the browser; `arrived` hears of what its navigations show.
    if (origin === 'CLIENT') return
    if (!error) return this.#worked()
    if (!FAILURES.has(error.code)) return
    // The document is there, and only what it refers to is not.
    if (error.code === 'TIMEOUT' && this.hasArrivedSince(pageId, startedAt)) return
    this.#failedPageId = pageId
    const { code, message } = error
    this.#set({ lastNavigationError: { url: cutText(url, TEXT_LIMITS.url), code, message, at } })
  }

  #worked(): void {
    this.#failedPageId = null
    if (this.#shown.lastNavigationError) this.#set({ lastNavigationError: null })
  }

  #set(patch: Partial<Shown>): void {
    this.#shown = { ...this.#shown, ...patch }
    this.#log.patch(patch)
    this.#changed()
  }
}
