import type { z } from 'zod'
import type { InputIssue } from './errors.ts'

/** The rules that an input breaks, as clients are told: each under its stable code, with its path. */
export function inputIssues(error: z.ZodError, prefix: readonly (string | number)[]): InputIssue[] {
  return error.issues.map((issue) => ({
    path: [...prefix, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))],
    code: issue.code === 'custom' ? String(issue.params?.['code'] ?? 'INVALID_FORMAT') : 'INVALID_FORMAT',
    message: issue.message,
  }))
}
