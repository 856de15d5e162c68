import { createHash } from 'node:crypto'
import type { SessionOptions } from './session-input.ts'

/** Of the options as they were understood, so that defaults given or left out count as the same input. */
export function hashOfOptions(options: SessionOptions): string {
  const canonical = JSON.stringify(options, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  return createHash('sha256').update(canonical).digest('hex')
}
