import { createHash } from 'node:crypto'
import { encodeGlobalId } from '../../contract/global-id.ts'
import { shownEgress } from './egress-input.ts'
import { withoutUngiven } from './emulation-input.ts'
import type { SessionOptions } from './session-input.ts'

/**
 * Of the options as they were understood, so that defaults given or left out count as the same input. Credentials are no
 * part of it: the hash is stored, and a password could be guessed from it.
 */
export function hashOfOptions({ egress, allowedHosts, proxy, profileId, ...others }: SessionOptions): string {
  // As clients write it: hashes that are stored were made so.
  const options = { ...withoutUngiven(others), profileId: profileId && encodeGlobalId('Profile', profileId) }
  const reach = shownEgress({ mode: egress ?? 'OPEN', allow: [], allowedHosts, upstream: proxy })
  // Without any of it, the hash is that of versions which did not know it.
  const isNarrowed = egress !== null || allowedHosts !== null || proxy !== null
  const hashed = isNarrowed ? { ...options, egress, reach } : options
  const canonical = JSON.stringify(hashed, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  return createHash('sha256').update(canonical).digest('hex')
}
