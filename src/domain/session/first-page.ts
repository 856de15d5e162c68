import type { BrowserSession } from '../../ports/browser.ts'
import type { EntryDraft } from '../../ports/log-entry.ts'
import type { SessionLog } from '../log/session-log.ts'
import { Deadline } from '../../async/deadline.ts'

/** How long the log is waited for, so that whoever waits for the page is told. */
const COMMIT_MS = 5_000

/**
 * Opens the page of `initialPrompt`. How a page loads is for the log to tell; one that is led to where no page may go is
 * told as an action that failed, and as the error of the session, since whoever started it has no other answer.
 */
export async function openFirstPage(
  browser: BrowserSession,
  url: string,
  log: Pick<SessionLog, 'commit'>,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = Date.now()
  const pageId = browser.pages()[0]?.pageId ?? null
  const { blocked } = await browser.open(url, signal)
  if (blocked === undefined) return
  const at = Date.now()
  const draft: EntryDraft<'ACTION'> = {
    kind: 'ACTION',
    at,
    data: {
      type: 'NAVIGATE',
      origin: 'API',
      pageId,
      startedAt,
      success: false,
      error: { code: 'BLOCKED', message: blocked },
      durationMs: at - startedAt,
      details: { url },
      result: null,
      artifactId: null,
      taskId: null,
      cost: null,
    },
  }
  await Deadline.isMet(Promise.allSettled([log.commit(draft, { error: blocked })]), COMMIT_MS)
}
