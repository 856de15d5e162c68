import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { encodeGlobalId } from '../../../contract/global-id.ts'
import { DEFAULT_CAPTURE } from '../../../ports/browser/capture.ts'
import { NO_REDACTION } from '../../../ports/sessions/redaction.ts'
import { shownEgress } from './egress-input.ts'
import { withoutUngiven } from './emulation-input.ts'
import type { SessionOptions } from './session-input.ts'

/**
 * Computed from the parsed options, so that a default counts the same whether given or omitted. Excludes credentials:
 * the hash is stored, and a password could be guessed from it.
 */
export function hashOfOptions(given: SessionOptions): string {
  const { egress, allowedHosts, proxy, profileId, capture, redact, ...others } = given
  // In the clients' notation: stored hashes were computed that way.
  const options = { ...withoutUngiven(others), profileId: profileId && encodeGlobalId('Profile', profileId) }
  const reach = shownEgress({ mode: egress ?? 'OPEN', allow: [], allowedHosts, upstream: proxy })
  // Without any of these options, the hash is the same as in versions that did not have them.
  const isNarrowed = egress !== null || allowedHosts !== null || proxy !== null
  const recorded = {
    ...(capture && !isDeepStrictEqual(capture, DEFAULT_CAPTURE) ? { capture } : {}),
    ...(redact && !isDeepStrictEqual(redact, NO_REDACTION) ? { redact } : {}),
  }
  const hashed = { ...options, ...recorded, ...(isNarrowed ? { egress, reach } : {}) }
  const canonical = JSON.stringify(hashed, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  return createHash('sha256').update(canonical).digest('hex')
}
