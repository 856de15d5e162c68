import type { Page } from 'playwright'
import { within } from '../deadline.ts'

/** Whether a page answers a question of nothing within this time; one that does not hangs. */
export async function answers(page: Page, withinMs: number): Promise<boolean> {
  const answer = page.evaluate('true').then(
    () => true,
    () => null,
  )
  return (await within(answer, withinMs)) === true
}
