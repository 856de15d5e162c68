import { and, asc, count, desc, eq, getTableColumns, gte, lt, sql, type SQL } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { unionAll } from 'drizzle-orm/pg-core'
import type { SessionStatus } from '../../../ports/log/log-entry.ts'
import type { SessionFilter, SessionPage, SessionPosition, SessionQuery } from '../../../ports/store/store.ts'
import { recordOfRow } from '../base/session-rows.ts'
import { sessions } from '../base/tables.ts'

function conditions(owner: string, filter: SessionFilter): (SQL | undefined)[] {
  const { createdAfter, createdBefore, name, metadata } = filter
  return [
    eq(sessions.owner, owner),
    typeof createdAfter === 'number' ? gte(sessions.createdAt, createdAfter) : undefined,
    typeof createdBefore === 'number' ? lt(sessions.createdAt, createdBefore) : undefined,
    typeof name === 'string' ? eq(sessions.name, name) : undefined,
    metadata ? sql`${sessions.metadata} @> ${JSON.stringify(metadata)}::jsonb` : undefined,
  ]
}

const NEWEST_FIRST = [desc(sessions.createdAt), desc(sessions.id)]

/**
 * Compared as rows, which is a single position in the index; "earlier, or as early and smaller" would scan from its
 * end.
 */
const compare = (operator: '<' | '>', { createdAt, id }: SessionPosition) =>
  sql`(${sessions.createdAt}, ${sessions.id}) ${sql.raw(operator)} (${sql.param(createdAt, sessions.createdAt)}::timestamptz, ${id}::uuid)`

/**
 * See Store.listSessions. The keys of the page are selected first, from an index only, and then its rows: rows skipped
 * by `offset` are never read.
 */
export async function listSessions(db: NodePgDatabase, query: SessionQuery): Promise<SessionPage> {
  const { owner, filter, direction, after, before, offset = 0, limit } = query
  const forward = direction === 'forward'
  const order = forward ? NEWEST_FIRST : [asc(sessions.createdAt), asc(sessions.id)]
  const where = [
    ...conditions(owner, filter),
    after ? compare('<', after) : undefined,
    before ? compare('>', before) : undefined,
  ]
  // One more than requested shows whether there are more.
  const enough = offset + limit + 1
  const ofStatus = (status: SessionStatus | null) =>
    db
      .select({ createdAt: sessions.createdAt, id: sessions.id })
      .from(sessions)
      .where(and(...where, status ? eq(sessions.status, status) : undefined))
      .orderBy(...order)
      .limit(enough)
  const places = merged()
  if (!places) return { records: [], hasMore: false }
  const rows = await db
    .select(getTableColumns(sessions))
    .from(sessions)
    .innerJoin(places, eq(sessions.id, places.id))
    .orderBy(...order)
  return {
    records: (forward ? rows.slice(0, limit) : rows.slice(0, limit).reverse()).map(recordOfRow),
    hasMore: rows.length > limit,
  }

  function merged() {
    const statuses: (SessionStatus | null)[] = filter.status ? [...new Set(filter.status)] : [null]
    const [first, second, ...others] = statuses.map(ofStatus)
    if (!first) return null
    if (!second) return first.offset(offset).as('places')
    return unionAll(first, second, ...others)
      .orderBy(...order)
      .limit(enough - offset)
      .offset(offset)
      .as('places')
  }
}

/** Rows of one range per step of counting (guarantee 11); there is a range for each status. */
const COUNTING_STEP = 1000

/**
 * See Store.countSessions. In steps, so that appends run in between; the first covers everything for most owners, and
 * so is a consistent count.
 */
export async function countSessions(
  db: NodePgDatabase,
  owner: string,
  filter: SessionFilter,
  inTurn: <T>(step: () => Promise<T>) => Promise<T>,
): Promise<number> {
  const { name, status, metadata } = filter
  const isNamed = typeof name === 'string'
  const statuses: (SessionStatus | null)[] = status ? [...new Set(status)] : [null]
  // A range is contiguous in one index, so that no step reads more than it counts. Sessions of one name are contiguous;
  // those of one name and status are not.
  let ranges: CountedRange[] = (isNamed && status ? [null] : statuses).map((one) => ({ status: one, before: null }))
  const passes = and(
    metadata ? sql`${sessions.metadata} @> ${JSON.stringify(metadata)}::jsonb` : undefined,
    isNamed && status ? sql`${sessions.status} = any(${sql.param([...statuses])}::text[])` : undefined,
  )
  const bounds = conditions(owner, { ...filter, metadata: null })
  let total = 0
  while (ranges.length > 0) {
    const [first, second, ...others] = ranges.map((range, index) => stepOf(range, index))
    const steps = await inTurn(async () => (second ? unionAll(first!, second, ...others) : first!))
    total += steps.reduce((sum, { passed }) => sum + passed, 0)
    ranges = steps.flatMap(({ index, looked, createdAt, id }) =>
      looked < COUNTING_STEP ? [] : [{ status: ranges[index]!.status, before: { createdAt, id } }],
    )
  }
  return total

  function stepOf(range: CountedRange, index: number) {
    const looked = db
      .select({
        createdAt: sessions.createdAt,
        id: sessions.id,
        passes: sql<boolean>`${passes ?? sql`true`}`.as('passes'),
      })
      .from(sessions)
      .where(
        and(
          ...bounds,
          range.status ? eq(sessions.status, range.status) : undefined,
          range.before ? compare('<', range.before) : undefined,
        ),
      )
      .orderBy(...NEWEST_FIRST)
      .limit(COUNTING_STEP)
      .as('looked')
    return db
      .select({
        index: sql<number>`${index}::int`,
        looked: count(),
        passed: sql<number>`(count(*) filter (where ${looked.passes}))::int`,
        createdAt: sql`min(${looked.createdAt})`.mapWith(sessions.createdAt),
        id: sql<string>`(array_agg(${looked.id} order by ${looked.createdAt}, ${looked.id}))[1]`,
      })
      .from(looked)
  }
}

interface CountedRange {
  status: SessionStatus | null
  /** The end of the last step. */
  before: SessionPosition | null
}
