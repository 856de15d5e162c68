/** What is masked in what is recorded of a session. Names count in either case. */
export interface RedactionRules {
  headers: readonly string[]
  jsonKeys: readonly string[]
  /** Of URLs and of forms. */
  urlParameters: readonly string[]
  /** Regular expressions in the syntax of RE2. */
  patterns: readonly string[]
}

export const NO_REDACTION: RedactionRules = { headers: [], jsonKeys: [], urlParameters: [], patterns: [] }

/** Patterns are few, for each is looked for in all that is recorded. */
export const REDACTION_LIMITS = { names: 100, nameLength: 200, patterns: 10, patternLength: 500 } as const

/** Of a server that says nothing of its own: credentials that standards give a name. Cookies stay, to be debugged. */
const CREDENTIALS = ['password', 'client_secret', 'access_token', 'refresh_token', 'id_token'] as const

export const DEFAULT_REDACTION: RedactionRules = {
  headers: ['authorization', 'proxy-authorization'],
  jsonKeys: CREDENTIALS,
  urlParameters: CREDENTIALS,
  patterns: [],
}
