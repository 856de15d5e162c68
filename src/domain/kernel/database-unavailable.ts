import { StoreUnavailable } from '../../ports/store/store-errors.ts'
import { TabwireError } from './errors.ts'

/** Retry delay for clients: an outage and its end are detected within about this time. */
const RETRY_AFTER_SECONDS = 2

/** The database is unavailable, read-only or full. The requested change may or may not have been made. */
export class DatabaseUnavailable extends TabwireError {
  override readonly code = 'DATABASE_UNAVAILABLE'

  constructor(reason: string) {
    const message = `Database unavailable (${reason}). Try again in ${RETRY_AFTER_SECONDS} s.`
    super(message, { retryAfterSeconds: RETRY_AFTER_SECONDS })
  }
}

/** The error as clients see it. */
export function asClientError(error: unknown): unknown {
  return error instanceof StoreUnavailable ? new DatabaseUnavailable(error.message) : error
}
