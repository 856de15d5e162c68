/**
 * The base of every refusal that a client is told about: a stable code, a sentence for people, and what helps them on.
 * Each code has one class, beside the rule that throws it. Whatever is not a TabwireError is a fault of ours and is
 * masked at the transport with a correlation id.
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
  /** Where in the arguments: ["input", "viewport", "width"]. */
  path: (string | number)[]
  /** Stable: OUT_OF_RANGE, TOO_LONG, INVALID_FORMAT, UNKNOWN_VALUE, FORBIDDEN_VALUE, CONFLICT, REQUIRED. */
  code: string
  message: string
}

/** Input that breaks rules: every broken rule at once, in `extensions.issues`. */
export class BadUserInput extends TabwireError {
  override readonly code = 'BAD_USER_INPUT'
  readonly issues: readonly InputIssue[]

  constructor(issues: readonly InputIssue[]) {
    super(issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '), { issues })
    this.issues = issues
  }
}

/** Malformed, of another type, unknown, someone else's: all alike, so that nothing is told about what others own. */
export class NotFound extends TabwireError {
  override readonly code = 'NOT_FOUND'

  constructor(what: string) {
    super(`There is no such ${what}.`)
  }
}
