import type { EventSink } from '../../../../ports/browser/browser.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import { TEXT_LIMITS } from '../../../../ports/log/log-entry.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import type { CrashReason } from '../../cdp/targets/crash-watch.ts'
import type { TargetRegistry, TrackedPage } from '../../cdp/targets/target-registry.ts'

/**
 * Pages that open, navigate, crash and close. Navigations of frames are recorded as requests, not as navigations of the
 * page.
 */
export class PageRecorder {
  readonly #recorder: EventSink

  constructor(connection: CdpConnection, targets: TargetRegistry, recorder: EventSink) {
    this.#recorder = recorder
    connection.on('Page.frameNavigated', ({ frame }, sessionId) => {
      const page = targets.source(sessionId)?.page
      if (page?.targetId !== frame.id) return
      // For a page that could not be loaded, the browser reports its own error page.
      this.#navigated(page, frame.unreachableUrl || frame.url + (frame.urlFragment ?? ''), false)
      if (!frame.unreachableUrl && frame.url !== 'about:blank') this.#recorder.arrived(page.pageId!)
    })
    connection.on('Page.navigatedWithinDocument', ({ frameId, url }, sessionId) => {
      const page = targets.source(sessionId)?.page
      if (page?.targetId === frameId) this.#navigated(page, url, true)
    })
  }

  opened(page: TrackedPage): void {
    const data = { pageId: page.pageId!, url: page.url, openerPageId: page.openerPageIds[0] ?? null }
    this.#recorder.record({ kind: 'PAGE_OPENED', at: Date.now(), data })
  }

  closed(page: TrackedPage): void {
    this.#recorder.record({ kind: 'PAGE_CLOSED', at: Date.now(), data: { pageId: page.pageId!, url: page.url } })
  }

  crashed(page: TrackedPage, reason: CrashReason | null): void {
    const crashReason = reason && cutText(reason.status, TEXT_LIMITS.failure)
    const data = { pageId: page.pageId!, url: page.url, crashReason, crashCode: reason?.errorCode ?? null }
    this.#recorder.record({ kind: 'PAGE_CRASHED', at: Date.now(), data })
  }

  #navigated(page: TrackedPage, url: string, sameDocument: boolean): void {
    page.url = cutUrl(url)
    this.#recorder.record({
      kind: 'NAVIGATION',
      at: Date.now(),
      data: { pageId: page.pageId!, url: page.url, sameDocument },
    })
    this.#recorder.pagesChanged()
  }
}
