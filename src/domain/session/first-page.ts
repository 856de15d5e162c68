import type { ActionError } from '../../ports/browser/action.ts'
import type { OpenOutcome } from '../../ports/browser/browser.ts'
import type { EntryData, EntryDraft } from '../../ports/log/log-entry.ts'
import { Deadline } from '../../async/deadline.ts'
import type { SessionLog } from '../log/writing/session-log.ts'
import type { BrowserLease } from './browser-lease.ts'
import type { InFlightWork } from './in-flight-work.ts'
import type { CurrentPage } from './current-page.ts'

/** How long to wait for the log before the page's callers are answered. */
const COMMIT_MS = 5_000

interface FirstPageHost {
  log: Pick<SessionLog, 'commit'>
  sink: { redacted(draft: EntryDraft<'ACTION'>): EntryDraft<'ACTION'> }
}

/**
 * Opens the page of `initialPrompt`, and waits until it has loaded or failed. A failure is recorded as a failed
 * action and as the last navigation error. If the page leads to a forbidden address, even after the wait is over,
 * that is the session's error as well.
 */
export async function openFirstPage(
  browser: BrowserLease,
  url: string,
  { log, sink }: FirstPageHost,
  currentPage: CurrentPage,
  work: Pick<InFlightWork, 'beginIdle'>,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = Date.now()
  const pageId = browser.browser.pages()[0]?.pageId ?? null
  // The document has arrived; its subresources may take longer.
  const hasArrived = () => currentPage.hasArrivedSince(pageId, startedAt)
  const report = async (error: ActionError | null): Promise<void> => {
    if (error === null || signal.aborted) return
    const at = Date.now()
    const given: EntryData['ACTION'] = {
      type: 'NAVIGATE',
      origin: 'API',
      pageId,
      startedAt,
      success: false,
      error,
      durationMs: at - startedAt,
      details: { url },
      result: null,
      artifactId: null,
      taskId: null,
      cost: null,
    }
    const draft = sink.redacted({ kind: 'ACTION', at, data: given })
    currentPage.acted(draft.data, at)
    const patch = error.code === 'BLOCKED' ? { error: draft.data.error!.message } : null
    await Deadline.isMet(Promise.allSettled([log.commit(draft, patch)]), COMMIT_MS)
  }
  const outcome = await browser.open(url, hasArrived, signal)
  if (!('late' in outcome)) return await report(failureOf(url, outcome))
  const { limitMs, late } = outcome
  await report({ code: 'TIMEOUT', message: `${url} did not respond within ${limitMs} ms.` })
  if (signal.aborted) return
  work.beginIdle(async () => {
    const error = failureOf(url, await late)
    // The timeout has already been reported.
    if (error?.code === 'BLOCKED') await report(error)
  })
}

/** Null if it loaded. */
function failureOf(url: string, { ok, failure, blocked }: OpenOutcome): ActionError | null {
  if (blocked !== undefined) return { code: 'BLOCKED', message: blocked }
  return ok ? null : { code: 'NAVIGATION_FAILED', message: `${url} could not be loaded: ${failure}.` }
}
