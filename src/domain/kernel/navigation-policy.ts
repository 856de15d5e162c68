import type { EgressPolicy } from '../../ports/egress/egress.ts'
import { refusalBy, refusingRule } from '../../egress/refusal.ts'

/** For callers that do not know yet which session an address is for. */
const EVERYTHING: EgressPolicy = { mode: 'OPEN', allow: [], allowedHosts: null, upstream: null }

/**
 * Why a page address is rejected, or null if a session of this policy may open it, as far as the address shows. Only
 * http and https: `file:`, `chrome:`, `view-source:` and the like would expose the server's machine, and link-local and
 * cloud metadata addresses its credentials.
 */
export function refusePageAddress(address: string, policy: EgressPolicy = EVERYTHING): string | null {
  if (!URL.canParse(address)) return 'must be a complete http:// or https:// URL'
  const url = new URL(address)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `must be an http:// or https:// URL; ${url.protocol} is never opened`
  }
  const rule = refusingRule(url, policy)
  return rule && refusalBy(rule, policy.mode)
}
