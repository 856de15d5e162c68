import type { CdpEvents } from './cdp-events.ts'

const TAG = '--playwright--'

/**
 * Whether it is no line of a page, but Playwright's own signal to itself in setContent, which it sends through the
 * console.
 */
export function isPlaywrightSignal({ type, args: [first] }: CdpEvents['Runtime.consoleAPICalled']): boolean {
  return type === 'debug' && typeof first?.value === 'string' && first.value.startsWith(TAG)
}
