import type { Page } from 'playwright'
import { HOLDING_MS } from '../barrier/paused-target.ts'
import type { ReleaseBarrier } from '../barrier/release-barrier.ts'
import { isPlaywrightError } from '../../library/playwright-errors.ts'
import { Deadline } from '../../../../async/deadline.ts'

/** What pages may have to wait for before they can answer anything. */
export type Holds = Pick<ReleaseBarrier, 'whenFree'>

/**
 * Whether a page answers a question of nothing within this time; one that does not hangs. A page whose popup is held for
 * those who prepare it stands still meanwhile, and hangs only if it does not answer afterwards either.
 */
export async function answers(page: Page, withinMs: number, holds: Holds): Promise<boolean> {
  const heldBefore = holds.whenFree()
  const answer = page.evaluate('true').then(
    () => true,
    // Playwright's part in a page fails where the page has replaced what it is made of, which is an answer as well.
    (error: unknown) => (isPlaywrightError(error, 'closed', 'crashed') ? null : true),
  )
  if ((await Deadline.result(answer, withinMs)) === true) return true
  const free = holds.whenFree() ?? heldBefore
  if (!free) return false
  // A page that opens popups without end is not waited for without end.
  await Deadline.isMet(free, HOLDING_MS)
  return (await Deadline.result(answer, withinMs)) === true
}
