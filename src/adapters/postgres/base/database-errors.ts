import pg from 'pg'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { StoreFull, StoreUnavailable, UnstorableBatch } from '../../../ports/store/store-errors.ts'

/**
 * SQLSTATEs after which a retry may help: connections (08, but not our own protocol violation, 08P01), a password or a
 * privilege that an operator changed (28, 42501, which is also reported for a read-only file system), a missing
 * database (3D), transactions rolled back because of others (40), insufficient memory, disk or connections (53), an
 * operator who stops or restarts the server (57), system errors (58), and a replica that is not yet, or no longer, the
 * primary (25006, 55000).
 */
const PASSING = /^(08(?!P01)|28|3D|40|42501|53|55000|57|58|25006)/

/** SQLSTATEs caused by the data of a batch: bad data (22), a violated constraint (23), a limit of the database (54). */
const REFUSED_DATA = /^(22|23|54)/

const DISK_FULL = '53100'

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
  'ENETDOWN',
  'EACCES',
  'EPERM',
  // This process, or the machine, has no descriptors or buffers left for a connection.
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
])

/** Messages of pg without a code, when a connection is lost or could not be established. */
const LOST_CONNECTION =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/

function causeOf(error: unknown): unknown {
  if (error instanceof DrizzleQueryError) return error.cause
  return error instanceof AggregateError ? error.errors[0] : error
}

/** The error in the port's terms: StoreUnavailable if a retry may help, otherwise the error itself. */
export function asStoreError(error: unknown): unknown {
  const cause = causeOf(error)
  if (!(cause instanceof Error)) return cause
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  const passing =
    cause instanceof pg.DatabaseError
      ? PASSING.test(code)
      : SOCKET_ERRORS.has(code) || LOST_CONNECTION.test(cause.message)
  if (!passing) return cause
  return code === DISK_FULL ? new StoreFull(cause) : new StoreUnavailable(cause, sentenceOf(cause) ?? undefined)
}

const SENTENCES: readonly (readonly [codes: RegExp, sentence: string])[] = [
  [/^53100/, 'the disk of the database is full'],
  [/^53300/, 'the database takes no more connections'],
  [/^53/, 'the database has no memory or disk left'],
  [/^25006/, 'the database is read-only'],
  [/^28/, 'the database does not accept the user or the password'],
  [/^42501/, 'the database, or the system below it, denies a right that is needed'],
  [/^3D/, 'the database does not exist'],
  [/^57P03/, 'the database is starting or shutting down'],
]

/** A message for people; null: no specific one. */
export function sentenceOf(error: unknown): string | null {
  const cause = causeOf(error)
  const code = cause instanceof pg.DatabaseError ? (cause.code ?? '') : ''
  return SENTENCES.find(([codes]) => codes.test(code))?.[1] ?? null
}

/** As asStoreError, and UnstorableBatch if the database rejected the data. */
export function asAppendError(error: unknown): unknown {
  const cause = causeOf(error)
  const refused = cause instanceof pg.DatabaseError && REFUSED_DATA.test(cause.code ?? '')
  return refused ? new UnstorableBatch(cause) : asStoreError(cause)
}
