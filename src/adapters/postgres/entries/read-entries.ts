import type pg from 'pg'
import { RequestTextsReader } from '../../../contract/entries/request-texts-reader.ts'
import type { EntryFilter, LogEntry } from '../../../ports/log/log-entry.ts'
import { SESSION_EVENT_KINDS } from '../../../ports/log/log-entry.ts'
import type { CountQuery, CountStep, EntryQuery, EntryStep } from '../../../ports/store/store.ts'
import { asStoreError } from '../base/database-errors.ts'
import { conditionOfFilter, Parameters } from './entry-conditions.ts'
import { ENTRY_COLUMNS, ENTRY_TYPES, entryOfRow, type EntryRow } from './entry-rows.ts'
import { statementName } from '../base/prepared-statements.ts'
import { KIND_CODES } from '../base/tables.ts'
import type { UnreadableEntries } from './unreadable-entries.ts'

/**
 * Rows that a filter examines per step (guarantee 11): a few milliseconds on the embedded database, during which an
 * append waits.
 */
const FILTERED_STEP = 1000
/** Rows per step of counting. */
const COUNTING_STEP = 2000
/** Bytes of entries examined per step of searching or counting; texts are decompressed for it, one by one. */
const SCANNED_BYTES = 4 * 1024 * 1024

/**
 * The size of an entry, without reading it. Rows of version 0.1 have no number: their size on the disk is used, unless
 * they are compressed; compressed rows may be large.
 */
const SIZE = `coalesce(bytes, case when pg_column_compression(data) is null then 2 * pg_column_size(data) else 65536 end)`

/** Above every sequence and size, and with a step added still an int of the database. */
const NO_BOUND = 2_000_000_000

const SIZED_COLUMNS = `sequence, kind, at, version, data, content, ${SIZE} as size`

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
 * The entries of the requested kinds between $2 and $3 (both exclusive), in order, at most `limit`. Each form walks
 * along an index and stops early: the primary key for every kind, the index by kind for one, and a merge of one range
 * of it per kind for several.
 */
function source({ filter, direction, columns, limit }: Source): string {
  const order = `order by sequence ${direction === 'forward' ? 'asc' : 'desc'} limit ${limit}`
  const range = 'session_id = $1::uuid and sequence > $2::int and sequence < $3::int'
  if (wantsEveryKind(filter)) {
    // Sequences have no gaps, so the bound below selects the same rows as the limit. It informs a planner without
    // statistics on the table yet, which otherwise sorts the whole log: measured, 1.2 s for a million entries.
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

type StepRow = [
  last: number | null,
  edge: number | null,
  size: number | null,
  isCut: boolean | null,
  ...entry: EntryRow | null[],
]

/** See Store.readEntries. */
export async function readEntries(pool: pg.Pool, query: EntryQuery, unreadable: UnreadableEntries): Promise<EntryStep> {
  const { sessionId, filter, direction, limit } = query
  const after = Math.min(query.after ?? 0, NO_BOUND)
  const before = Math.min(query.before ?? NO_BOUND, NO_BOUND)
  const maxBytes = Math.min(query.maxBytes ?? NO_BOUND, NO_BOUND)
  const parameters = new Parameters([sessionId, after, before, limit, maxBytes])
  const condition = conditionOfFilter(filter, parameters)
  const text = condition === null ? unfilteredText(filter, direction) : filteredText(filter, direction, condition)
  const { rows } = await pool
    .query<StepRow>({
      name: statementName(text),
      text,
      values: parameters.values,
      rowMode: 'array',
      types: ENTRY_TYPES,
    })
    .catch((error: unknown) => {
      throw asStoreError(error)
    })
  const [last, edge] = rows[0]!
  const texts = query.withTexts ? new RequestTextsReader() : null
  const entries: LogEntry[] = []
  let bytes = 0
  let isCut = true
  for (const [, , size, isFollowed, ...entry] of rows) {
    // The last existing row has no successor: if each row has one, some did not fit.
    isCut &&= isFollowed === true
    if (entry[0] === null) continue
    entries.push(entryOfRow(sessionId, entry as EntryRow, unreadable, texts))
    bytes += size!
  }
  const isFull = isCut || entries.length >= limit
  if (direction === 'backward') entries.reverse()
  const bounds = { after, before: Math.min(before, (last ?? 0) + 1) }
  const step = condition === null ? limit : FILTERED_STEP

  const end = endOf(direction, { after, before, last })
  let scannedTo = end
  if (isFull) scannedTo = (direction === 'forward' ? entries.at(-1)! : entries[0]!).sequence
  else if (edge !== null) scannedTo = edge
  else if (wantsEveryKind(filter)) scannedTo = windowEnd(direction, bounds, step)
  return { entries, bytes, scannedTo, done: direction === 'forward' ? scannedTo >= end : scannedTo <= end }
}

/** The last position in the query's direction, as of the read. */
function endOf(
  direction: Direction,
  { after, before, last }: { after: number; before: number; last: number | null },
): number {
  return direction === 'forward' ? Math.max(after, Math.min(before - 1, last ?? 0)) : Math.min(after + 1, before)
}

/** How far the window of `source` extends. */
function windowEnd(direction: Direction, { after, before }: { after: number; before: number }, step: number): number {
  return direction === 'forward'
    ? Math.max(after, Math.min(before - 1, after + step))
    : Math.min(before, Math.max(after + 1, before - step))
}

/**
 * The first rows of an ordered source whose sizes add up to no more than the limit; at least one. If others were
 * omitted, each row `is_followed`. Only sizes are examined: an omitted row is not decompressed.
 */
const within = (rows: string, bound: string, direction: Direction) => `
  select * from (
    select *, sum(size) over so_far as total, lead(sequence) over so_far is not null as is_followed
    from (${rows}) as sized
    window so_far as (order by sequence ${direction === 'forward' ? 'asc' : 'desc'} rows unbounded preceding)
  ) as summed
  where total <= ${bound} or total = size`

/** Each examined row is returned. */
const unfilteredText = (filter: EntryFilter, direction: Direction) => `
  select ${LAST_SEQUENCE}, null::int, hit.size, hit.is_followed, ${ENTRY_COLUMNS}
  from (values (1)) as one
    left join (
      ${within(source({ filter, direction, columns: SIZED_COLUMNS, limit: '$4::int' }), '$5::int', direction)}
    ) as hit on true`

/**
 * The rows of the step are fetched only as far as needed. If it ended before the log did, because of its rows or bytes,
 * `edge` shows where.
 */
const filteredText = (filter: EntryFilter, direction: Direction, condition: string) => `
  with looked as materialized (
    ${within(source({ filter, direction, columns: SIZED_COLUMNS, limit: String(FILTERED_STEP) }), String(SCANNED_BYTES), direction)}
  ), hits as materialized (
    select sequence, kind, at, version, data, content, size from looked where ${condition} limit $4::int
  ), step as materialized (
    select case when count(*) = ${FILTERED_STEP} or bool_and(is_followed)
      then ${direction === 'forward' ? 'max' : 'min'}(sequence) end as edge
    from looked where (select count(*) from hits) < $4::int
  )
  select ${LAST_SEQUENCE}, step.edge, hit.size, hit.is_followed, ${ENTRY_COLUMNS}
  from step left join (${within('select * from hits', '$5::int', direction)}) as hit on true`

/** See Store.countEntries. */
export async function countEntries(pool: pg.Pool, { sessionId, filter, after }: CountQuery): Promise<CountStep> {
  const parameters = new Parameters([sessionId, Math.min(after, NO_BOUND), NO_BOUND])
  const condition = conditionOfFilter(filter, parameters)
  const rowsOf = (columns: string) => source({ filter, direction: 'forward', columns, limit: String(COUNTING_STEP) })
  const rowsLookedAt =
    condition === null
      ? `select sequence, false as is_followed from (${rowsOf('sequence')}) as rows`
      : within(rowsOf(SIZED_COLUMNS), String(SCANNED_BYTES), 'forward')
  const text = `
    select ${LAST_SEQUENCE}, count(*)::int, max(sequence), count(*) filter (where ${condition ?? 'true'})::int,
      bool_and(is_followed)
    from (${rowsLookedAt}) as looked`
  const { rows } = await pool
    .query<[last: number | null, looked: number, edge: number | null, count: number, isCut: boolean | null]>({
      name: statementName(text),
      text,
      values: parameters.values,
      rowMode: 'array',
    })
    .catch((error: unknown) => {
      throw asStoreError(error)
    })
  const [last, looked, edge, count, isCut] = rows[0]!
  const end = Math.max(after, last ?? 0)
  let scannedTo = end
  if (isCut && edge !== null) scannedTo = edge
  else if (wantsEveryKind(filter)) scannedTo = windowEnd('forward', { after, before: end + 1 }, COUNTING_STEP)
  else if (looked === COUNTING_STEP && edge !== null) scannedTo = edge
  return { count, scannedTo, done: scannedTo >= end }
}
