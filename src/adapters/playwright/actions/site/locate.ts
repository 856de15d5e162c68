import type { FrameLocator, Locator, Page } from 'playwright'
import type { Target } from '../../../../contract/actions/target.ts'
import { Deadline } from '../../../../async/deadline.ts'
import { isPlaywrightError } from '../../library/playwright-errors.ts'
import { ActionFailure } from './action-failure.ts'
import type { ActionSite } from './action-site.ts'

type Role = Parameters<Page['getByRole']>[0]

/** How long a page may take to say whether it still has the element of a ref. */
const REF_CHECK_MS = 2_000

/** In the words of the log. */
export function describeTarget(target: Target): string {
  if (target.css !== null) return `css=${target.css}`
  if (target.text !== null) return `text=${JSON.stringify(target.text)}`
  if (target.role !== null) {
    const { role, name, exact } = target.role
    return `role=${role}${name === null ? '' : ` name=${JSON.stringify(name)}`}${exact ? ' exact' : ''}`
  }
  if (target.label !== null) return `label=${JSON.stringify(target.label)}`
  if (target.testId !== null) return `testId=${JSON.stringify(target.testId)}`
  return `ref=${target.ref}`
}

/** All elements that a target means. Throws ActionFailure: INVALID_INPUT. */
export function locatorOf(page: Page, target: Target): Locator {
  if (target.css !== null) return locatorOfCss(page, target.css)
  if (target.text !== null) return page.getByText(target.text)
  if (target.role !== null) {
    const { role, name, exact } = target.role
    return page.getByRole(role as Role, name === null ? {} : { name, exact })
  }
  if (target.label !== null) return page.getByLabel(target.label)
  if (target.testId !== null) return page.getByTestId(target.testId)
  const ref = target.ref ?? ''
  if (!/^(f\d+)?e\d+$/.test(ref)) {
    throw new ActionFailure('INVALID_INPUT', `${JSON.stringify(ref)} is no ref: they look like e4 or f1e4.`)
  }
  return page.getByRef(ref)
}

/** A chain of " >> " enters the frame of what stands before it. */
function locatorOfCss(page: Page, css: string): Locator {
  const parts = css.split(/\s*>>\s*/)
  const last = parts.pop() ?? ''
  const root = parts.reduce<Page | FrameLocator>((from, part) => from.frameLocator(cssSelector(part)), page)
  return root.locator(cssSelector(last))
}

/** "css=" keeps Playwright's other ways of selecting, and what it may read in "//" or quotes, out. */
function cssSelector(css: string): string {
  if (css.trim() === '') throw new ActionFailure('INVALID_INPUT', 'A part of the css selector is empty.')
  return `css=${css}`
}

/** The element to act on, noted in the log. Throws ActionFailure: INVALID_INPUT, STALE_REF. */
export async function elementOf(site: ActionSite, target: Target): Promise<Locator> {
  site.details.note({ target: describeTarget(target) })
  const locator = locatorOf(site.page, target)
  if (target.ref !== null) await requireRef(locator, target.ref, site.signal)
  return locator.first()
}

/** Playwright would wait for a ref that is gone until the time is up. */
export async function requireRef(locator: Locator, ref: string, signal: AbortSignal): Promise<void> {
  const counting = locator.count().catch((error: unknown) => {
    if (isPlaywrightError(error, 'noFrame')) return 0
    throw error
  })
  const count = await Deadline.result(counting, REF_CHECK_MS, signal)
  signal.throwIfAborted()
  if (count !== 0) return
  throw new ActionFailure('STALE_REF', `No element has the ref ${ref} any more: take a new observation.`)
}
