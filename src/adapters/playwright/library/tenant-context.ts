import type { BrowserContext } from 'playwright'

/**
 * Where Playwright puts the pages of contexts that it did not make itself, as clients do: in the one that the browser
 * began with, which it knew first.
 */
export function guestContext(ofSession: BrowserContext): BrowserContext {
  return ofSession.browser()?.contexts()[0] ?? ofSession
}
