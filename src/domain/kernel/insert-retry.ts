import pRetry from 'p-retry'
import { StoreFull, StoreUnavailable } from '../../ports/store-errors.ts'

/**
 * Inserts a row whose id is ours, again where the answer may have been lost: the store knows the row by its id. Rejects as
 * the last insertion did.
 */
export function insertWithRetry<T>(insert: () => Promise<T>): Promise<T> {
  return pRetry(insert, {
    retries: 2,
    minTimeout: 100,
    factor: 1,
    shouldRetry: ({ error }) => error instanceof StoreUnavailable && !(error instanceof StoreFull),
  })
}
