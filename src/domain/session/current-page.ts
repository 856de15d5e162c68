import type { PageState } from '../../ports/browser/browser.ts'
import { TEXT_LIMITS, type EntryData } from '../../ports/log/log-entry.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import { cutText } from '../kernel/errors.ts'
import type { SessionLog } from '../log/writing/session-log.ts'

/** Actions that open a URL. */
const NAVIGATING: ReadonlySet<string> = new Set(['NAVIGATE', 'OPEN_PAGE'])
/** With other codes the page was not involved: the input was invalid, or the step did not start. */
const FAILURES: ReadonlySet<string> = new Set(['NAVIGATION_FAILED', 'TIMEOUT', 'BLOCKED'])
const MAX_PAGES = 100

type Shown = Pick<SessionRecord, 'currentUrl' | 'title' | 'lastNavigationError'>
type Acted = Pick<EntryData['ACTION'], 'type' | 'origin' | 'pageId' | 'startedAt' | 'error' | 'details'>

/**
 * What a session shows: URL and title of its first page, and the outcome of the last requested navigation. It is
 * state of which only the latest value counts, so it is updated immediately rather than on commit: commits come later
 * and in pieces.
 */
export class CurrentPage {
  readonly #log: Pick<SessionLog, 'patch'>
  readonly #changed: () => void
  /** When each page last showed a document, by page id, in order of time. */
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

  /** State of the first page. */
  shows({ url: currentUrl, title }: PageState): void {
    if (currentUrl !== this.#shown.currentUrl || title !== this.#shown.title) this.#set({ currentUrl, title })
  }

  /**
   * See EventSink.arrived. An arrival in another page than the failed one, such as a popup, says nothing about it.
   */
  arrived(pageId: string): void {
    this.#arrivals.delete(pageId)
    this.#arrivals.set(pageId, Date.now())
    const [oldest] = this.#arrivals.keys()
    if (oldest !== undefined && this.#arrivals.size > MAX_PAGES) this.#arrivals.delete(oldest)
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
    // CDP clients get the outcome from the browser; `arrived` reports the documents of their navigations.
    if (origin === 'CLIENT') return
    if (!error) return this.#worked()
    if (!FAILURES.has(error.code)) return
    // The document has arrived, and only its subresources are missing.
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
