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

/** How many broken rules are told at once, and how much of each: nobody reads more, and a small request can break a million. */
export const ISSUE_LIMITS = { issues: 20, pathParts: 20, partLength: 200, messageLength: 500 } as const

export function cutText(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text
}

/** Broken rules as clients are told of them: `hasMoreIssues` where there are more than are told. */
export function toldIssues(all: readonly InputIssue[]): { issues: InputIssue[]; hasMoreIssues?: true } {
  const { issues: most, pathParts, partLength, messageLength } = ISSUE_LIMITS
  const issues = all.slice(0, most).map(({ path, code, message }) => ({
    path: path.slice(0, pathParts).map((part) => (typeof part === 'string' ? cutText(part, partLength) : part)),
    code,
    message: cutText(message, messageLength),
  }))
  return all.length > most ? { issues, hasMoreIssues: true } : { issues }
}

/** Input that breaks rules: the broken rules at once, up to a bound, in `extensions.issues`. */
export class BadUserInput extends TabwireError {
  override readonly code = 'BAD_USER_INPUT'
  readonly issues: readonly InputIssue[]

  constructor(issues: readonly InputIssue[]) {
    const told = toldIssues(issues)
    const texts = told.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    super([...texts, ...(told.hasMoreIssues ? ['and more'] : [])].join('; '), { ...told })
    this.issues = told.issues
  }
}

/** Malformed, of another type, unknown, someone else's: all alike, so that nothing is told about what others own. */
export class NotFound extends TabwireError {
  override readonly code = 'NOT_FOUND'

  constructor(what: string) {
    super(`${what[0]!.toUpperCase()}${what.slice(1)} not found.`)
  }
}
