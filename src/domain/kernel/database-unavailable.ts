import { StoreUnavailable } from '../../ports/store-errors.ts'
import { TabwireError } from './errors.ts'

/** What clients are asked to wait: an outage is noticed and its end is seen within about this time. */
const RETRY_AFTER_SECONDS = 2

/** The database is away, read-only or full. What was asked for may or may not have been done. */
export class DatabaseUnavailable extends TabwireError {
  override readonly code = 'DATABASE_UNAVAILABLE'

  constructor(reason: string) {
    const message = `Database unavailable (${reason}). Try again in ${RETRY_AFTER_SECONDS} s.`
    super(message, { retryAfterSeconds: RETRY_AFTER_SECONDS })
  }
}

/** The error as clients are told of it. */
export function asTold(error: unknown): unknown {
  return error instanceof StoreUnavailable ? new DatabaseUnavailable(error.message) : error
}
