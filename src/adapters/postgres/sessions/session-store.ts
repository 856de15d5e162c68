import { and, asc, eq, getTableColumns, inArray, isNotNull, ne, or, sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import type { LogEntry } from '../../../ports/log/log-entry.ts'
import type { InsertSessionOutcome, Store } from '../../../ports/store/store.ts'
import type { SessionRecord } from '../../../ports/sessions/session-record.ts'
import { insertEntries } from '../entries/append.ts'
import { asAppendError, asStoreError } from '../base/database-errors.ts'
import { arraysOfEntries } from '../entries/entry-arrays.ts'
import { countEntriesByCounter } from '../entries/entry-rows.ts'
import { countSessions, listSessions } from './list-sessions.ts'
import { statementName } from '../base/prepared-statements.ts'
import type { ReadSemaphore } from '../connection/read-semaphore.ts'
import { assignmentsOfPatch, isHeldBy, recordOfRow } from '../base/session-rows.ts'
import { machines, sessions, sessionStarts } from '../base/tables.ts'

export type SessionStore = Pick<
  Store,
  | 'insertSession'
  | 'patchSession'
  | 'findSession'
  | 'findSessions'
  | 'findSessionByIdempotencyKey'
  | 'listSessions'
  | 'countSessions'
  | 'listLiveSessions'
  | 'listLostSessions'
>

const isLive = inArray(sessions.status, ['CREATING', 'RUNNING'])

/** Before it runs, a session that was queued for several machines is not lost with one of them. */
const isNotStarting = sql`(${sessions.status} <> 'CREATING' or not exists (
  select from ${sessionStarts} where ${sessionStarts.sessionId} = ${sessions.id}))`

const instant = (milliseconds: number | null) => (milliseconds === null ? null : new Date(milliseconds).toISOString())

/** Columns of a new session with their values; counters and sequence follow from the entries. */
export const columnsOfNew = (record: SessionRecord, entries: readonly LogEntry[]): Record<string, unknown> => {
  const counts = countEntriesByCounter(entries)
  return {
    id: record.id,
    owner: record.owner,
    name: record.name,
    metadata: JSON.stringify(record.metadata),
    status: record.status,
    end_reason: record.endReason,
    error: record.error,
    viewport_width: record.viewport.width,
    viewport_height: record.viewport.height,
    user_agent: record.userAgent,
    locale: record.locale,
    timezone: record.timezone,
    keep_alive: record.keepAlive,
    idle_timeout_seconds: record.idleTimeoutSeconds,
    max_duration_seconds: record.maxDurationSeconds,
    machine_id: record.machineId,
    machine_epoch: record.machineEpoch,
    idempotency_key: record.idempotencyKey,
    input_hash: record.inputHash,
    created_at: instant(record.createdAt),
    started_at: instant(record.startedAt),
    last_activity_at: instant(record.lastActivityAt),
    ended_at: instant(record.endedAt),
    current_url: record.currentUrl,
    title: record.title,
    last_navigation_error: record.lastNavigationError && JSON.stringify(record.lastNavigationError),
    navigation_count: counts.navigation,
    console_message_count: counts.console,
    network_request_count: counts.network,
    action_count: counts.action,
    screenshot_count: counts.screenshot,
    console_error_count: counts.consoleError,
    failed_request_count: counts.failedRequest,
    input_tokens: record.cost.inputTokens,
    output_tokens: record.cost.outputTokens,
    usd: record.cost.usd,
    profile_id: record.profileId,
    egress: record.egress && JSON.stringify(record.egress),
    emulation: record.emulation && JSON.stringify(record.emulation),
    offline: record.offline,
    capture: record.capture && JSON.stringify(record.capture),
    redact: record.redact && JSON.stringify(record.redact),
    last_sequence: entries.length,
  }
}

/** Rows of sessions in the store. */
export function createSessionStore(pool: pg.Pool, db: NodePgDatabase, semaphore: ReadSemaphore): SessionStore {
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }

  const findSession = async (sessionId: string): Promise<SessionRecord | null> => {
    const rows = await db.select().from(sessions).where(eq(sessions.id, sessionId)).catch(fail)
    return rows[0] ? recordOfRow(rows[0]) : null
  }

  const findSessionByIdempotencyKey = async (owner: string, key: string): Promise<SessionRecord | null> => {
    const ofKey = and(eq(sessions.owner, owner), eq(sessions.idempotencyKey, key))
    const rows = await db.select().from(sessions).where(ofKey).catch(fail)
    return rows[0] ? recordOfRow(rows[0]) : null
  }

  /** The session that conflicts with a new one: its own row from an earlier attempt, or one with the same key. */
  const findExisting = async ({ id, owner, idempotencyKey }: SessionRecord): Promise<InsertSessionOutcome | null> => {
    if (await findSession(id)) return { kind: 'inserted' }
    const record = idempotencyKey === null ? null : await findSessionByIdempotencyKey(owner, idempotencyKey)
    return record && { kind: 'exists', record }
  }

  return {
    insertSession: async (record, entries) => {
      const columns = columnsOfNew(record, entries)
      const names = Object.keys(columns)
      const text = `
        with moved as (
          insert into sessions (${names.join(', ')}) values (${names.map((_, index) => `$${index + 1}`).join(', ')})
          on conflict do nothing
          returning id
        ), added as (
          ${insertEntries('moved.id', '0', names.length + 1)}
        )
        select 1 from moved`
      const values = [...Object.values(columns), ...arraysOfEntries(entries)]
      for (;;) {
        const { rowCount } = await pool.query({ name: statementName(text), text, values }).catch((error: unknown) => {
          throw asAppendError(error)
        })
        if (rowCount === 1) return { kind: 'inserted' }
        const existing = await findExisting(record)
        // None: it was deleted between the two statements, so there is no conflict now.
        if (existing) return existing
      }
    },

    patchSession: async (sessionId, patch, holder) => {
      const { assignments, values } = assignmentsOfPatch(patch, 2)
      // Without a change, it still has to be checked that the session is live.
      const set = assignments.length > 0 ? assignments.join(', ') : 'id = id'
      const held = isHeldBy(holder, 2 + values.length)
      const text = `update sessions set ${set} where id = $1 and status in ('CREATING', 'RUNNING')${held.condition}`
      const given = [sessionId, ...values, ...held.values]
      const result = await pool.query({ name: statementName(text), text, values: given }).catch(fail)
      return result.rowCount === 1
    },

    findSession,

    findSessions: async (sessionIds) => {
      const rows = await db
        .select()
        .from(sessions)
        .where(inArray(sessions.id, [...sessionIds]))
        .catch(fail)
      return rows.map(recordOfRow)
    },

    findSessionByIdempotencyKey,

    listSessions: (query, signal) => semaphore.take(query.owner, () => listSessions(db, query).catch(fail), signal),

    countSessions: (owner, filter, signal) =>
      countSessions(db, owner, filter, (step) => semaphore.take(owner, () => step().catch(fail), signal)),

    listLiveSessions: async (machineId) => {
      const rows = await db
        .select()
        .from(sessions)
        .where(and(eq(sessions.machineId, machineId), isLive, isNotStarting))
        .orderBy(asc(sessions.createdAt), asc(sessions.id))
        .catch(fail)
      return rows.map(recordOfRow)
    },

    listLostSessions: async (machineId, limit) => {
      // From before there were leases, or from a version that has none: null.
      const isOfEarlier = ne(sessions.machineEpoch, machines.epoch)
      const rows = await db
        .select(getTableColumns(sessions))
        .from(machines)
        .innerJoin(sessions, eq(sessions.machineId, machines.id))
        .where(and(or(isNotNull(machines.leftAt), eq(machines.id, machineId)), isLive, isOfEarlier, isNotStarting))
        .orderBy(asc(sessions.createdAt), asc(sessions.id))
        .limit(limit)
        .catch(fail)
      return rows.map(recordOfRow)
    },
  }
}
