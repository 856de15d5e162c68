import type { LogResultError } from './log-client.ts'

/** Why following a log failed: reported before each retry, and thrown where no retry helps. */
export class FollowLogError extends Error {
  override readonly name = 'FollowLogError'
  /** The error code of the server, such as NOT_FOUND; null if the server was not reached or gave none. */
  readonly code: string | null
  /** When the server asks to try again. */
  readonly retryAfterSeconds: number | null
  /** The errors of the GraphQL response; empty if there was none. */
  readonly errors: readonly LogResultError[]
  /** How many consecutive retries are worthwhile: none, some, or unlimited. */
  readonly maxRetries: number

  constructor(message: string, { code, retryAfterSeconds, errors = [], maxRetries, cause }: FailureDetails) {
    super(message, { cause })
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
    this.errors = errors
    this.maxRetries = maxRetries
  }
}

interface FailureDetails {
  code: string | null
  retryAfterSeconds: number | null
  errors?: readonly LogResultError[]
  maxRetries: number
  cause?: unknown
}

/** A response that is not the requested stream. */
export class UnexpectedResponse extends Error {
  readonly response: Response

  constructor(response: Response) {
    super(`The server responded with status ${response.status}.`)
    this.response = response
  }
}

/**
 * Codes of temporary states. Codes that end in _UNAVAILABLE are temporary, too, and so is every error with
 * `retryAfterSeconds`.
 */
const PASSING_CODES = ['TIMEOUT', 'RATE_LIMITED', 'TOO_MANY_CONNECTIONS', 'TOO_MANY_OPERATIONS', 'CAPACITY_EXCEEDED']

/** An internal error of the server may be temporary; one that recurs with each try is not. */
const RETRIES_OF_FAULTS = 5

/** Client error statuses that are temporary. */
const PASSING_STATUSES = [408, 425, 429]

/** WebSocket close codes after which the same request would be rejected again. */
const FINAL_CLOSE_CODES = [1002, 1003, 1007, 1008, 1009, 1010, 4400, 4401, 4403, 4406, 4409, 4429]

const CODE_OF_STATUS: Record<number, string> = { 401: 'UNAUTHENTICATED', 403: 'FORBIDDEN', 404: 'NOT_FOUND' }
const CODE_OF_CLOSE: Record<number, string> = { 4401: 'UNAUTHENTICATED', 4403: 'FORBIDDEN' }

/** Extracts the failure from a client's error: GraphQL errors, a closed WebSocket, an HTTP status, a broken network. */
export function followLogError(cause: unknown): FollowLogError {
  if (cause instanceof FollowLogError) return cause
  if (isErrors(cause)) return ofErrors(cause)
  if (isClose(cause)) {
    const { code, reason } = cause
    return new FollowLogError(`The WebSocket was closed: ${code} ${reason}`.trim(), {
      code: CODE_OF_CLOSE[code] ?? null,
      retryAfterSeconds: null,
      maxRetries: FINAL_CLOSE_CODES.includes(code) ? 0 : Infinity,
      cause,
    })
  }
  if (isResponse(cause)) {
    const { status, headers } = cause.response
    const passes = status < 400 || status > 499 || PASSING_STATUSES.includes(status)
    return new FollowLogError(`The server responded with status ${status}.`, {
      code: CODE_OF_STATUS[status] ?? null,
      retryAfterSeconds: positive(headers?.get('retry-after')),
      maxRetries: passes ? Infinity : 0,
      cause,
    })
  }
  const message = cause instanceof Error && cause.message ? cause.message : 'The connection to the server failed.'
  return new FollowLogError(message, { code: null, retryAfterSeconds: null, maxRetries: Infinity, cause })
}

function ofErrors(errors: readonly LogResultError[]): FollowLogError {
  const codes = errors.map(({ extensions }) => extensions?.['code'])
  const details = errors.map((error, index) => {
    const code = typeof codes[index] === 'string' ? codes[index] : null
    const retryAfterSeconds = positive(error.extensions?.['retryAfterSeconds'])
    return { code, retryAfterSeconds, maxRetries: retriesOf(code, retryAfterSeconds) }
  })
  // The most severe error decides: a retry has to get past all of them.
  const [worst] = details.toSorted((one, other) => one.maxRetries - other.maxRetries)
  const message = errors.map((error) => error.message).join('; ')
  const retryAfterSeconds = Math.max(0, ...details.map((one) => one.retryAfterSeconds ?? 0)) || null
  return new FollowLogError(message, {
    code: worst?.code ?? null,
    retryAfterSeconds,
    errors,
    maxRetries: worst?.maxRetries ?? 0,
  })
}

function retriesOf(code: string | null, retryAfterSeconds: number | null): number {
  if (retryAfterSeconds !== null) return Infinity
  if (code === null || code === 'INTERNAL') return RETRIES_OF_FAULTS
  return PASSING_CODES.includes(code) || /(^|_)UNAVAILABLE$/.test(code) ? Infinity : 0
}

function positive(value: unknown): number | null {
  const seconds = Number(value ?? Number.NaN)
  return seconds > 0 ? seconds : null
}

function isErrors(cause: unknown): cause is LogResultError[] {
  return Array.isArray(cause) && cause.length > 0 && cause.every((error) => isObject(error) && 'message' in error)
}

function isClose(cause: unknown): cause is { code: number; reason: string } {
  return isObject(cause) && typeof cause['code'] === 'number' && 'reason' in cause
}

function isResponse(cause: unknown): cause is { response: { status: number; headers?: Headers } } {
  return isObject(cause) && isObject(cause['response']) && typeof cause['response']['status'] === 'number'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
