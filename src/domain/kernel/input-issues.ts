import type { z } from 'zod'
import type { InputIssue } from './errors.ts'

/** The broken rules of an input, as clients see them: each with a stable code and its path. */
export function inputIssues(error: z.ZodError, prefix: readonly (string | number)[]): InputIssue[] {
  return error.issues.map((issue) => ({
    path: [...prefix, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))],
    code: issue.code === 'custom' ? String(issue.params?.['code'] ?? 'INVALID_FORMAT') : 'INVALID_FORMAT',
    message: issue.message,
  }))
}
