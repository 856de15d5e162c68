import type pg from 'pg'
import type { SessionStatus } from '../../../ports/log/log-entry.ts'
import type { Store } from '../../../ports/store/store.ts'
import { append } from './append.ts'
import { asStoreError } from '../base/database-errors.ts'
import { ENTRY_COLUMNS, ENTRY_TYPES, entryOfRow, type EntryRow } from './entry-rows.ts'
import { statementName } from '../base/prepared-statements.ts'
import type { ReadSemaphore } from '../connection/read-semaphore.ts'
import { countEntries, readEntries } from './read-entries.ts'
import type { UnreadableEntries } from './unreadable-entries.ts'

export type EntryStore = Pick<
  Store,
  'append' | 'readEntries' | 'countEntries' | 'findEntry' | 'findRequestEntry' | 'readHead'
>

const FIND_ENTRY = `select ${ENTRY_COLUMNS} from log_entries where session_id = $1 and sequence = $2`
const FIND_REQUEST = `select ${ENTRY_COLUMNS} from log_entries where session_id = $1 and request_id = $2`
/** Retention deletes the oldest entries first, and the session's row last. */
const READ_HEAD = `
select last_sequence, status from sessions
where id = $1 and (last_sequence = 0 or exists (select from log_entries where session_id = $1 and sequence = 1))`

/** Sequences and request ids are ints of the database; no log contains larger numbers. */
const isInt = (number: number) => Number.isInteger(number) && number >= 0 && number <= 2_147_483_647

/** Log entries in the store. */
export function createEntryStore(pool: pg.Pool, semaphore: ReadSemaphore, unreadable: UnreadableEntries): EntryStore {
  const readOne = async <Row extends unknown[]>(text: string, values: unknown[]): Promise<Row | null> => {
    const { rows } = await pool
      .query<Row>({ name: statementName(text), text, values, rowMode: 'array', types: ENTRY_TYPES })
      .catch((error: unknown) => {
        throw asStoreError(error)
      })
    return rows[0] ?? null
  }
  return {
    append: (sessionId, expectedLast, entries, patch, holder) =>
      append(pool, sessionId, expectedLast, entries, patch, holder),
    readEntries: (query, signal) =>
      semaphore.take(query.reader ?? query.sessionId, () => readEntries(pool, query, unreadable), signal),
    countEntries: (query, signal) =>
      semaphore.take(query.reader ?? query.sessionId, () => countEntries(pool, query), signal),
    findEntry: async (sessionId, sequence) => {
      const row = isInt(sequence) ? await readOne<EntryRow>(FIND_ENTRY, [sessionId, sequence]) : null
      return row && entryOfRow(sessionId, row, unreadable)
    },
    findRequestEntry: async (sessionId, requestId) => {
      const row = isInt(requestId) ? await readOne<EntryRow>(FIND_REQUEST, [sessionId, requestId]) : null
      return row && entryOfRow(sessionId, row, unreadable)
    },
    readHead: async (sessionId) => {
      const row = await readOne<[number, SessionStatus]>(READ_HEAD, [sessionId])
      return row && { lastSequence: row[0], ended: row[1] !== 'CREATING' && row[1] !== 'RUNNING' }
    },
  }
}
