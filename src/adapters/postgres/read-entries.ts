import type pg from 'pg'
import type { EntryFilter, LogEntry } from '../../ports/log-entry.ts'
import { SESSION_EVENT_KINDS } from '../../ports/log-entry.ts'
import type { EntryQuery, EntryStep } from '../../ports/store.ts'
import { asStoreError } from './database-errors.ts'
import { conditionOfFilter, Parameters } from './entry-conditions.ts'
import { ENTRY_COLUMNS, entryOfRow, type EntryRow } from './entry-rows.ts'
import { statementName } from './prepared-statements.ts'
import { KIND_CODES } from './tables.ts'

/**
 * Rows a filter looks at in one step (law 11): a few milliseconds on the embedded database, for which an append waits.
 */
const FILTERED_STEP = 1000
/** Rows that one step of counting looks at. */
const COUNTING_STEP = 2000

/** Above every sequence, and with a step added still an int of the database. */
const NO_BOUND = 2_000_000_000

type Direction = EntryQuery['direction']

const LAST_SEQUENCE = '(select last_sequence from sessions where id = $1::uuid)'

interface Source {
  filter: EntryFilter
  direction: Direction
  columns: string
  /** A parameter or a number. */
  limit: string
}

const wantsEveryKind = ({ kinds }: EntryFilter) => kinds === null || new Set(kinds).size === SESSION_EVENT_KINDS.length

/**
 * The entries of the wanted kinds between $2 and $3 (both exclusive), in order, at most `limit`. Each form walks along
 * an index and stops early: the primary key for every kind, the index by kind for one, and a merge of one range of it
 * per kind for several.
 */
function source({ filter, direction, columns, limit }: Source): string {
  const order = `order by sequence ${direction === 'forward' ? 'asc' : 'desc'} limit ${limit}`
  const range = 'session_id = $1::uuid and sequence > $2::int and sequence < $3::int'
  if (wantsEveryKind(filter)) {
    // Sequences are dense, so the bound below holds the same rows as the limit. It says so to a planner that knows
    // nothing about the table yet, which else sorts the whole log: measured, 1.2 s among a million entries.
    const window =
      direction === 'forward'
        ? `sequence <= $2::int + ${limit}`
        : `sequence > least($3::int - 1, ${LAST_SEQUENCE}) - ${limit}`
    return `select ${columns} from log_entries where ${range} and ${window} ${order}`
  }
  const codes = [...new Set(filter.kinds)].map((kind) => KIND_CODES[kind]).sort((one, other) => one - other)
  if (codes.length === 0) return `select ${columns} from log_entries where ${range} and false ${order}`
  const ofKind = (code: number) => `select ${columns} from log_entries where ${range} and kind = ${code} ${order}`
  if (codes.length === 1) return ofKind(codes[0]!)
  return `select * from (${codes.map((code) => `(${ofKind(code)})`).join(' union all ')}) as merged ${order}`
}

type StepRow = [last: number | null, looked: number | null, edge: number | null, ...entry: EntryRow | null[]]

/** See Store.readEntries. */
export async function readEntries(pool: pg.Pool, query: EntryQuery): Promise<EntryStep> {
  const { sessionId, filter, direction, limit } = query
  const after = Math.min(query.after ?? 0, NO_BOUND)
  const before = Math.min(query.before ?? NO_BOUND, NO_BOUND)
  const parameters = new Parameters([sessionId, after, before, limit])
  const condition = conditionOfFilter(filter, parameters)
  const text = condition === null ? unfilteredText(filter, direction) : filteredText(filter, direction, condition)
  const { rows } = await pool
    .query<StepRow>({ name: statementName(text), text, values: parameters.values, rowMode: 'array' })
    .catch((error: unknown) => {
      throw asStoreError(error)
    })
  const [last, looked, edge] = rows[0]!
  const entries: LogEntry[] = []
  for (const [, , , ...entry] of rows) {
    if (entry[0] !== null) entries.push(entryOfRow(entry as EntryRow))
  }
  if (direction === 'backward') entries.reverse()
  const bounds = { after, before: Math.min(before, (last ?? 0) + 1) }
  const step = condition === null ? limit : FILTERED_STEP

  const end = endOf(direction, { after, before, last })
  let scannedTo = end
  if (entries.length >= limit) scannedTo = (direction === 'forward' ? entries.at(-1)! : entries[0]!).sequence
  else if (wantsEveryKind(filter)) scannedTo = windowEnd(direction, bounds, step)
  else if (looked === step && edge !== null) scannedTo = edge
  return { entries, scannedTo, done: direction === 'forward' ? scannedTo >= end : scannedTo <= end }
}

/** The last place in the query's direction, as of the moment of the read. */
function endOf(
  direction: Direction,
  { after, before, last }: { after: number; before: number; last: number | null },
): number {
  return direction === 'forward' ? Math.max(after, Math.min(before - 1, last ?? 0)) : Math.min(after + 1, before)
}

/** How far the window of `source` reaches. */
function windowEnd(direction: Direction, { after, before }: { after: number; before: number }, step: number): number {
  return direction === 'forward'
    ? Math.max(after, Math.min(before - 1, after + step))
    : Math.min(before, Math.max(after + 1, before - step))
}

/** Each row that is looked at is returned. */
const unfilteredText = (filter: EntryFilter, direction: Direction) => `
  select ${LAST_SEQUENCE}, null::int, null::int, hit.*
  from (values (1)) as one
    left join (${source({ filter, direction, columns: ENTRY_COLUMNS, limit: '$4::int' })}) as hit on true`

/** The rows of the step are fetched only as far as they are needed, and counted only when the hits were too few. */
const filteredText = (filter: EntryFilter, direction: Direction, condition: string) => `
  with looked as materialized (
    ${source({ filter, direction, columns: 'sequence, kind, at, data', limit: String(FILTERED_STEP) })}
  ), hits as materialized (
    select * from looked where ${condition} limit $4::int
  ), step as materialized (
    select count(*)::int as looked, ${direction === 'forward' ? 'max' : 'min'}(sequence) as edge
    from looked where (select count(*) from hits) < $4::int
  )
  select ${LAST_SEQUENCE}, step.looked, step.edge, hit.*
  from step left join (
    select ${ENTRY_COLUMNS} from hits order by sequence ${direction === 'forward' ? 'asc' : 'desc'}
  ) as hit on true`

/** See Store.countEntries. */
export async function countEntries(
  pool: pg.Pool,
  sessionId: string,
  filter: EntryFilter,
  after: number,
): Promise<{ count: number; scannedTo: number; done: boolean }> {
  const parameters = new Parameters([sessionId, Math.min(after, NO_BOUND), NO_BOUND])
  const condition = conditionOfFilter(filter, parameters)
  const columns = condition === null ? 'sequence' : 'sequence, kind, data'
  const text = `
    select ${LAST_SEQUENCE}, count(*)::int, max(sequence), count(*) filter (where ${condition ?? 'true'})::int
    from (${source({ filter, direction: 'forward', columns, limit: String(COUNTING_STEP) })}) as looked`
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
  let scannedTo = end
  if (wantsEveryKind(filter)) scannedTo = windowEnd('forward', { after, before: end + 1 }, COUNTING_STEP)
  else if (looked === COUNTING_STEP && edge !== null) scannedTo = edge
  return { count, scannedTo, done: scannedTo >= end }
}
