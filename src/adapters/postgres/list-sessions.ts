import { and, asc, count, desc, eq, gte, lt, sql, type SQL } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { unionAll } from 'drizzle-orm/pg-core'
import type { SessionStatus } from '../../ports/log-entry.ts'
import type { SessionFilter, SessionPage, SessionPosition, SessionQuery } from '../../ports/store.ts'
import { recordOfRow } from './session-rows.ts'
import { sessions } from './tables.ts'

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

/** Compared as rows, for which the index has one place; "earlier, or as early and smaller" would be read from its end. */
const compare = (operator: '<' | '>', { createdAt, id }: SessionPosition) =>
  sql`(${sessions.createdAt}, ${sessions.id}) ${sql.raw(operator)} (${sql.param(createdAt, sessions.createdAt)}::timestamptz, ${id}::uuid)`

/** See Store.listSessions. */
export async function listSessions(db: NodePgDatabase, query: SessionQuery): Promise<SessionPage> {
  const { owner, filter, direction, after, before, offset = 0, limit } = query
  const forward = direction === 'forward'
  const order = forward ? [desc(sessions.createdAt), desc(sessions.id)] : [asc(sessions.createdAt), asc(sessions.id)]
  const where = [
    ...conditions(owner, filter),
    after ? compare('<', after) : undefined,
    before ? compare('>', before) : undefined,
  ]
  // One more than asked for tells whether there is more.
  const enough = offset + limit + 1
  const ofStatus = (status: SessionStatus | null) =>
    db
      .select()
      .from(sessions)
      .where(and(...where, status ? eq(sessions.status, status) : undefined))
      .orderBy(...order)
      .limit(enough)
  const rows = await merged()
  return {
    records: (forward ? rows.slice(0, limit) : rows.slice(0, limit).reverse()).map(recordOfRow),
    hasMore: rows.length > limit,
  }

  async function merged() {
    const statuses: (SessionStatus | null)[] = filter.status ? [...new Set(filter.status)] : [null]
    const [first, second, ...others] = statuses.map(ofStatus)
    if (!first) return []
    if (!second) return first.offset(offset)
    return unionAll(first, second, ...others)
      .orderBy(...order)
      .limit(enough - offset)
      .offset(offset)
  }
}

/** See Store.countSessions. */
export async function countSessions(db: NodePgDatabase, owner: string, filter: SessionFilter): Promise<number> {
  const statuses = filter.status
  const ofStatus = statuses ? sql`${sessions.status} = any(${sql.param([...statuses])}::text[])` : undefined
  const rows = await db
    .select({ count: count() })
    .from(sessions)
    .where(and(...conditions(owner, filter), ofStatus))
  return rows[0]!.count
}
