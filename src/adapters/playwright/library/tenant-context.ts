import type { BrowserContext } from 'playwright'

/**
 * The context in which Playwright places pages of contexts that it did not create, such as those of clients: the
 * browser's initial one, which it knew first.
 */
export function tenantContext(ofSession: BrowserContext): BrowserContext {
  return ofSession.browser()?.contexts()[0] ?? ofSession
}
