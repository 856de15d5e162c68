import type { SessionStatus } from '../ports/log-entry.ts'
import type { Json, SessionFilter } from '../ports/store.ts'
import { BadUserInput, type InputIssue } from './errors.ts'
import { parseMetadata } from './session-input.ts'

/** A filter of sessions as a client gave it. */
export interface SessionFilterInput {
  status?: readonly SessionStatus[] | null
  createdAfter?: Date | null
  createdBefore?: Date | null
  name?: string | null
  metadata?: unknown
}

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
