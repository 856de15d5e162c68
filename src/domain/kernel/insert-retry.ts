import pRetry from 'p-retry'
import { StoreFull, StoreUnavailable } from '../../ports/store/store-errors.ts'

/**
 * Inserts a row with an id generated here, and retries if the response may have been lost: the store recognizes the row
 * by its id. Rejects with the error of the last attempt.
 */
export function insertWithRetry<T>(insert: () => Promise<T>): Promise<T> {
  return pRetry(insert, {
    retries: 2,
    minTimeout: 100,
    factor: 1,
    shouldRetry: ({ error }) => error instanceof StoreUnavailable && !(error instanceof StoreFull),
  })
}
