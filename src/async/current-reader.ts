import { AsyncLocalStorage } from 'node:async_hooks'

/** For whom the store is read. */
export interface Reader {
  /** Whose turn a read takes, since readers take turns. */
  name: string
  /** Fires when nobody waits for what is read any more; null: it is read in any case. */
  signal: AbortSignal | null
}

const readers = new AsyncLocalStorage<Reader>()

/** Runs the work, and reads for this reader whatever it reads: a resolver need not hand on for whom it asks. */
export function readingFor<T>(reader: Reader, work: () => T): T {
  return readers.run(reader, work)
}

/** Undefined: the server reads for itself. */
export const currentReader = (): Reader | undefined => readers.getStore()
