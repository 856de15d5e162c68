import type pg from 'pg'
import type { EntryFilter, LogEntry } from '../../ports/log-entry.ts'
import { SESSION_EVENT_KINDS } from '../../ports/log-entry.ts'
import type { EntryQuery, EntryStep } from '../../ports/store.ts'
import { asStoreError } from './database-errors.ts'
import { conditionOfFilter, Parameters } from './entry-conditions.ts'
import { ENTRY_COLUMNS, entryOfRow, type EntryRow } from './entry-rows.ts'
import { statementName } from './prepared-statements.ts'
import { KIND_CODES } from './tables.ts'

/** Rows a filter looks at in one step (law 11). Measured on the embedded database: see the report of its benchmark. */
const FILTERED_STEP = 2000
/** Rows that one step of counting looks at. */
const COUNTING_STEP = 4000

/** Above every sequence; an int of the database. */
const NO_BOUND = 2_147_483_647

type Direction = EntryQuery['direction']

/**
 * The entries of the wanted kinds between $2 and $3 (both exclusive), in order, at most `limit`. Each form walks along
 * an index and stops early: the primary key for every kind, the index by kind for one, and a merge of one range of it
 * per kind for several.
 */
function source(filter: EntryFilter, direction: Direction, columns: string, limit: string): string {
  const order = `order by sequence ${direction === 'forward' ? 'asc' : 'desc'} limit ${limit}`
  const range = 'session_id = $1::uuid and sequence > $2::int and sequence < $3::int'
  const kinds = new Set(filter.kinds ?? SESSION_EVENT_KINDS)
  if (kinds.size === SESSION_EVENT_KINDS.length) return `select ${columns} from log_entries where ${range} ${order}`
  if (kinds.size === 0) return `select ${columns} from log_entries where ${range} and false ${order}`
  const ofKind = (code: number) => `select ${columns} from log_entries where ${range} and kind = ${code} ${order}`
  const codes = [...kinds].map((kind) => KIND_CODES[kind]).sort((one, other) => one - other)
  if (codes.length === 1) return ofKind(codes[0]!)
  return `select * from (${codes.map((code) => `(${ofKind(code)})`).join(' union all ')}) as merged ${order}`
}

const LAST_SEQUENCE = '(select last_sequence from sessions where id = $1::uuid)'

type StepRow = [last: number | null, looked: number | null, edge: number | null, ...entry: EntryRow | null[]]

/** See Store.readEntries. */
export async function readEntries(pool: pg.Pool, query: EntryQuery): Promise<EntryStep> {
  const { sessionId, filter, direction, after = 0, before = NO_BOUND, limit } = query
  const parameters = new Parameters([sessionId, after, before, limit])
  const condition = conditionOfFilter(filter, parameters)
  const inOrder = `order by sequence ${direction === 'forward' ? 'asc' : 'desc'}`
  // Without a condition each row that is looked at is returned. With one, the rows of the step are fetched only as far
  // as they are needed, and counted only when they were too few: a CTE is read lazily.
  const text =
    condition === null
      ? `select ${LAST_SEQUENCE}, null::int, null::int, hit.*
         from (values (1)) as one left join (${source(filter, direction, ENTRY_COLUMNS, '$4::int')}) as hit on true`
      : `with looked as materialized (
           ${source(filter, direction, 'sequence, kind, at, data', String(FILTERED_STEP))}
         ), hits as materialized (
           select * from looked where ${condition} limit $4::int
         ), step as materialized (
           select count(*)::int as looked, ${direction === 'forward' ? 'max' : 'min'}(sequence) as edge
           from looked where (select count(*) from hits) < $4::int
         )
         select ${LAST_SEQUENCE}, step.looked, step.edge, hit.*
         from step left join (select ${ENTRY_COLUMNS} from hits ${inOrder}) as hit on true`
  const { rows } = await pool
    .query<StepRow>({ name: statementName(text), text, values: parameters.values, rowMode: 'array' })
    .catch((error: unknown) => {
      throw asStoreError(error)
    })
  return stepOfRows(rows, { direction, after, before, limit })
}

interface Bounds {
  direction: Direction
  after: number
  before: number
  limit: number
}

function stepOfRows(rows: readonly StepRow[], { direction, after, before, limit }: Bounds): EntryStep {
  const [last, looked, edge] = rows[0]!
  const entries: LogEntry[] = []
  for (const [, , , ...entry] of rows) {
    if (entry[0] !== null) entries.push(entryOfRow(entry as EntryRow))
  }
  if (direction === 'backward') entries.reverse()

  const forward = direction === 'forward'
  // The last place in the query's direction, as of the moment of this read.
  const end = forward ? Math.max(after, Math.min(before - 1, last ?? 0)) : Math.min(after + 1, before)
  const reached = (sequence: number) => (forward ? sequence >= end : sequence <= end)
  const furthest =
    entries.length >= limit
      ? forward
        ? entries.at(-1)!.sequence
        : entries[0]!.sequence
      : looked === FILTERED_STEP && edge !== null
        ? edge
        : end
  return { entries, scannedTo: furthest, done: reached(furthest) }
}

/** See Store.countEntries. */
export async function countEntries(
  pool: pg.Pool,
  sessionId: string,
  filter: EntryFilter,
  after: number,
): Promise<{ count: number; scannedTo: number; done: boolean }> {
  const parameters = new Parameters([sessionId, after, NO_BOUND])
  const condition = conditionOfFilter(filter, parameters)
  const columns = condition === null ? 'sequence' : 'sequence, kind, data'
  const text = `
    select ${LAST_SEQUENCE}, count(*)::int, max(sequence), count(*) filter (where ${condition ?? 'true'})::int
    from (${source(filter, 'forward', columns, String(COUNTING_STEP))}) as looked`
  const { rows } = await pool
    .query<[last: number | null, looked: number, edge: number | null, count: number]>({
      name: statementName(text),
      text,
      values: parameters.values,
      rowMode: 'array',
    })
    .catch((error: unknown) => {
      throw asStoreError(error)
    })
  const [last, looked, edge, count] = rows[0]!
  const end = Math.max(after, last ?? 0)
  const scannedTo = looked === COUNTING_STEP && edge !== null ? edge : end
  return { count, scannedTo, done: scannedTo >= end }
}
