/** What is masked in the recordings of a session. Names are case-insensitive. */
export interface RedactionRules {
  headers: readonly string[]
  jsonKeys: readonly string[]
  /** Of URLs and forms. */
  urlParameters: readonly string[]
  /** Regular expressions in RE2 syntax. */
  patterns: readonly string[]
}

export const NO_REDACTION: RedactionRules = { headers: [], jsonKeys: [], urlParameters: [], patterns: [] }

/** Few patterns, since each is matched against everything that is recorded. */
export const REDACTION_LIMITS = { names: 100, nameLength: 200, patterns: 10, patternLength: 500 } as const

/** Defaults of a server: credentials with standardized names. Cookies are not masked, for debugging. */
const CREDENTIALS = ['password', 'client_secret', 'access_token', 'refresh_token', 'id_token'] as const

export const DEFAULT_REDACTION: RedactionRules = {
  headers: ['authorization', 'proxy-authorization'],
  jsonKeys: CREDENTIALS,
  urlParameters: CREDENTIALS,
  patterns: [],
}
