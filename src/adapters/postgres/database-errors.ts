import pg from 'pg'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { StoreUnavailable, UnstorableBatch } from '../../ports/store.ts'

/**
 * SQLSTATEs after which trying again may help: connections (08, but not our own breach of protocol, 08P01), transactions rolled back for another's sake (40),
 * want of memory, disk or connections (53), an operator who stops or restarts the server (57), errors of the system
 * below it (58), and a replica that is not yet, or no longer, the primary (25006).
 */
const PASSING = /^(08(?!P01)|40|53|57|58|25006)/

/** SQLSTATEs that the data of a batch earns: bad data (22), a broken constraint (23), a limit of the database (54). */
const REFUSED_DATA = /^(22|23|54)/

const SOCKET_ERRORS: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** What pg says without any code when a connection is lost or was never had. */
const LOST_CONNECTION =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/

function causeOf(error: unknown): unknown {
  if (error instanceof DrizzleQueryError) return error.cause
  return error instanceof AggregateError ? error.errors[0] : error
}

/** The error as the port speaks of it: StoreUnavailable where trying again may help, else the error itself. */
export function asStoreError(error: unknown): unknown {
  const cause = causeOf(error)
  if (!(cause instanceof Error)) return cause
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  const passing =
    cause instanceof pg.DatabaseError
      ? PASSING.test(code)
      : SOCKET_ERRORS.has(code) || LOST_CONNECTION.test(cause.message)
  return passing ? new StoreUnavailable(cause) : cause
}

/** As asStoreError, and UnstorableBatch where the database refused what it was given to keep. */
export function asAppendError(error: unknown): unknown {
  const cause = causeOf(error)
  const refused = cause instanceof pg.DatabaseError && REFUSED_DATA.test(cause.code ?? '')
  return refused ? new UnstorableBatch(cause) : asStoreError(cause)
}
