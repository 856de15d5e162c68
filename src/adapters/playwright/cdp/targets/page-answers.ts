import type { Page } from 'playwright'
import { HOLDING_MS } from '../barrier/paused-target.ts'
import type { ReleaseBarrier } from '../barrier/release-barrier.ts'
import { isPlaywrightError } from '../../library/playwright-errors.ts'
import { Deadline } from '../../../../async/deadline.ts'

/** Holds that may keep pages from responding. */
export type PausedTargets = Pick<ReleaseBarrier, 'whenResumed'>

/**
 * Whether a page responds to a trivial question within this time; one that does not is unresponsive. A page whose popup
 * is held by other owners is blocked meanwhile, and counts as unresponsive only if it does not respond afterwards
 * either.
 */
export async function answers(page: Page, withinMs: number, pausedTargets: PausedTargets): Promise<boolean> {
  const pausedBefore = pausedTargets.whenResumed()
  const answer = page.evaluate('true').then(
    () => true,
    // Playwright's part in a page fails where the page has replaced what it is made of, which is an answer as well.
    (error: unknown) => (isPlaywrightError(error, 'closed', 'crashed') ? null : true),
  )
  if ((await Deadline.result(answer, withinMs)) === true) return true
  const free = pausedTargets.whenResumed() ?? pausedBefore
  if (!free) return false
  // The wait is bounded, as a page may open popups without end.
  await Deadline.isMet(free, HOLDING_MS)
  return (await Deadline.result(answer, withinMs)) === true
}
