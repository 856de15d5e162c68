import type { SessionStatus } from '../../ports/log-entry.ts'
import type { Json } from '../../ports/json.ts'
import type { SessionFilter } from '../../ports/store.ts'
import { BadUserInput, type InputIssue } from '../kernel/errors.ts'
import { parseMetadata } from './session-input.ts'

/** A filter of sessions as a client gave it. */
export interface SessionFilterInput {
  status?: readonly SessionStatus[] | null
  createdAfter?: Date | null
  createdBefore?: Date | null
  name?: string | null
  metadata?: unknown
}

/** No session was created outside these, and PostgreSQL knows no year 0. */
const EARLIEST_TIME_MS = 0
const LATEST_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** Checks a filter of sessions. Throws BadUserInput with every broken rule. */
export function parseSessionFilter(
  input: SessionFilterInput | null | undefined,
  path: (string | number)[],
): SessionFilter {
  const issues: InputIssue[] = []
  const { status, createdAfter, createdBefore, name, metadata } = input ?? {}
  if (name != null && (!name.isWellFormed() || name.includes('\0'))) {
    issues.push({ path: [...path, 'name'], code: 'INVALID_FORMAT', message: 'must not hold U+0000 or lone surrogates' })
  }
  for (const [member, time] of Object.entries({ createdAfter, createdBefore })) {
    if (time != null && !(time.getTime() >= EARLIEST_TIME_MS && time.getTime() <= LATEST_TIME_MS)) {
      issues.push({ path: [...path, member], code: 'OUT_OF_RANGE', message: 'must be in the years 1970 to 9999' })
    }
  }
  let wanted: { [key: string]: Json } | null = null
  if (metadata != null) {
    try {
      wanted = parseMetadata(metadata, [...path, 'metadata'])
    } catch (error) {
      if (!(error instanceof BadUserInput)) throw error
      issues.push(...error.issues)
    }
  }
  if (issues.length > 0) throw new BadUserInput(issues)
  return {
    status: status ?? null,
    createdAfter: createdAfter?.getTime() ?? null,
    createdBefore: createdBefore?.getTime() ?? null,
    name: name ?? null,
    metadata: wanted,
  }
}
