/**
 * Base of every error that clients see: a stable code, a sentence for people, and further help. Each code has one
 * class, beside the rule that throws it. Anything else that is thrown is an internal error and is masked at the
 * transport with a correlation id.
 */
export abstract class TabwireError extends Error {
  abstract readonly code: string
  /** Further members of the GraphQL error's extensions. */
  readonly extensions: Readonly<Record<string, unknown>>

  constructor(message: string, extensions: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = new.target.name
    this.extensions = extensions
  }
}

export interface InputIssue {
  /** Path within the arguments: ["input", "viewport", "width"]. */
  path: (string | number)[]
  /** Stable: OUT_OF_RANGE, TOO_LONG, INVALID_FORMAT, UNKNOWN_VALUE, FORBIDDEN_VALUE, CONFLICT, REQUIRED. */
  code: string
  message: string
}

/**
 * Max broken rules in one error, and max length of each: nobody reads more, and a small request can break a million.
 */
export const ISSUE_LIMITS = { issues: 20, pathParts: 20, partLength: 200, messageLength: 500 } as const

export function cutText(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text
}

/** Broken rules as clients see them: `hasMoreIssues` if some were omitted. */
export function reportedIssues(all: readonly InputIssue[]): { issues: InputIssue[]; hasMoreIssues?: true } {
  const { issues: most, pathParts, partLength, messageLength } = ISSUE_LIMITS
  const issues = all.slice(0, most).map(({ path, code, message }) => ({
    path: path.slice(0, pathParts).map((part) => (typeof part === 'string' ? cutText(part, partLength) : part)),
    code,
    message: cutText(message, messageLength),
  }))
  return all.length > most ? { issues, hasMoreIssues: true } : { issues }
}

/** Input that breaks rules: all broken rules at once, up to a limit, in `extensions.issues`. */
export class BadUserInput extends TabwireError {
  override readonly code = 'BAD_USER_INPUT'
  readonly issues: readonly InputIssue[]

  constructor(issues: readonly InputIssue[]) {
    const reported = reportedIssues(issues)
    const texts = reported.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    super([...texts, ...(reported.hasMoreIssues ? ['and more'] : [])].join('; '), { ...reported })
    this.issues = reported.issues
  }
}

/**
 * Malformed, of another type, unknown or another owner's: the same error for all, so that nothing about other owners'
 * data is revealed.
 */
export class NotFound extends TabwireError {
  override readonly code = 'NOT_FOUND'

  constructor(what: string) {
    super(`${what[0]!.toUpperCase()}${what.slice(1)} not found.`)
  }
}
