import { and, asc, eq, getTableColumns, gte, sql, type SQL } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import {
  MAX_LOST_MACHINES,
  START_VERSION,
  type ClaimedStart,
  type StartStore,
} from '../../../ports/store/start-store.ts'
import type { SessionRecord } from '../../../ports/sessions/session-record.ts'
import type { InsertSessionOutcome } from '../../../ports/store/store.ts'
import { asAppendError, asStoreError } from '../base/database-errors.ts'
import { statementName } from '../base/prepared-statements.ts'
import { recordOfRow } from '../base/session-rows.ts'
import { sessions, sessionStarts } from '../base/tables.ts'
import { arraysOfEntries } from '../entries/entry-arrays.ts'
import { insertEntries } from '../entries/append.ts'
import { columnsOfNew, type SessionStore } from './session-store.ts'

const MAX_LISTED = 200

/**
 * One start is queued at a time, or their number would exceed its bound. A machine that stops in between must not hold
 * up the others: its transaction ends.
 */
const BEGIN = `
  begin;
  set local idle_in_transaction_session_timeout = 3000;
  set local lock_timeout = 10000;
  select pg_advisory_xact_lock(7310595213)`

/** Machines on which a start may be claimed. */
const TAKES_STARTS = 'left_at is null and lease_until > now() and not draining'

const WAITING = `
  session_starts as start join sessions as session on session.id = start.session_id
  where start.machine_id is null and session.status = 'CREATING'`

const WAITING_COUNT = `select count(*)::int as waiting from ${WAITING}`

const FREE_SLOTS = `
  select greatest(0, (select coalesce(sum(slots), 0) from machines where ${TAKES_STARTS}) - (
    select count(*) from sessions join machines as machine on machine.id = sessions.machine_id
    where sessions.status in ('CREATING', 'RUNNING') and ${TAKES_STARTS}
  )) as slots`

/** One above the owner's last turn, but not below those that wait: who comes late does not catch up. */
const NEXT_TURN = (owner: string) => `
  1 + greatest(
    coalesce((select max(turn) from session_starts where owner = ${owner}), 0),
    coalesce(
      (select min(turn) from session_starts where machine_id is null), (select max(turn) from session_starts), 1
    ) - 1
  )`

/** The limits of its lifetime, as SessionClock has them. */
const ENDS_AT = `
  least(
    coalesce(sessions.started_at, created_at) + max_duration_seconds * interval '1 second',
    case when keep_alive or status = 'CREATING' then null
      else last_activity_at + idle_timeout_seconds * interval '1 second' end
  )`

const FREE_IN = `
  select (extract(epoch from min(${ENDS_AT}) - now()) * 1000)::float8 as ms
  from sessions join machines as machine on machine.id = sessions.machine_id
  where status in ('CREATING', 'RUNNING') and ${TAKES_STARTS}`

/**
 * $1, $2: the machine and its epoch; $3: its live sessions; $4: its warm browsers; $5: how long a better one has the
 * choice; $6: the latest version of starts that it knows. The row of a start is locked where it is found waiting, so that of many claimants each gets another one.
 * What the claimant reports is what the next ones compare themselves with.
 */
const CLAIM = `
with own as materialized (
  select 1 from machines where id = $1 and epoch = $2::bigint and ${TAKES_STARTS}
), better as materialized (
  select exists (
    select 1 from machines
    where id <> $1 and ${TAKES_STARTS} and live < slots
      and (least(warm, 1), -live) > (least($4::int, 1), -$3::int)
  ) as exists
), picked as materialized (
  select session_id from session_starts
  where machine_id is null and lost_machines < ${MAX_LOST_MACHINES} and version <= $6::int and exists (select from own)
    and (queued_at <= now() - $5::float8 * interval '1 millisecond' or not (select better.exists from better))
  order by turn, queued_at, session_id limit 1
  for update skip locked
), taken as (
  update session_starts as start set machine_id = $1, machine_epoch = $2::bigint
  from picked where start.session_id = picked.session_id
  returning start.session_id, start.sealed,
    greatest(0, extract(epoch from now() - start.queued_at) * 1000)::float8 as waited_ms
), claimed as (
  update sessions as session set machine_id = $1, machine_epoch = $2::bigint
  from taken where session.id = taken.session_id and session.status = 'CREATING' and session.machine_id = ''
  returning session.id
), reported as (
  update machines set live = $3::int + 1, warm = greatest($4::int - 1, 0)
  where id = $1 and epoch = $2::bigint and exists (select from claimed)
)
select taken.session_id as "sessionId", taken.sealed, taken.waited_ms as "waitedMs", claimed.id is not null as "isClaimed",
  (select count(*)::int from session_starts where machine_id is null) - (case when taken.session_id is null then 0 else 1 end)
    as others
from (values (1)) as one left join taken on true left join claimed on true`

const RELEASE = `
with released as (
  update sessions set machine_id = '', machine_epoch = null
  where id = $1 and machine_id = $2 and machine_epoch = $3::bigint and status = 'CREATING'
    and exists (select from session_starts where session_id = $1)
  returning id
)
update session_starts set machine_id = null, machine_epoch = null
from released where session_id = released.id`

/** Whether a claim is void is compared with the rows that are changed: another claim may have been made meanwhile. */
const RELEASE_LOST = `
with void as materialized (
  select session_id, machine_id, machine_epoch from session_starts as start
  where machine_id is not null and sealed is not null and not exists (
    select from machines where id = start.machine_id and epoch = start.machine_epoch and left_at is null
  )
), released as (
  update sessions as session set machine_id = '', machine_epoch = null
  from void
  where session.id = void.session_id and session.status = 'CREATING'
    and session.machine_id = void.machine_id and session.machine_epoch = void.machine_epoch
  returning session.id
)
update session_starts set machine_id = null, machine_epoch = null, lost_machines = lost_machines + 1
from released where session_id = released.id`

/** Turns that were had count as long as somebody waits with the same one, or with a lower one. */
const DELETE = `
with waiting as materialized (
  select min(turn) as turn from ${WAITING}
), over as materialized (
  select session_id, turn, machine_id from session_starts as start
  where not exists (select from sessions where id = start.session_id and status = 'CREATING')
), deleted as (
  delete from session_starts using over, waiting
  where session_starts.session_id = over.session_id
    and (over.machine_id is null or waiting.turn is null or over.turn < waiting.turn)
)
update session_starts set sealed = null
from over, waiting
where session_starts.session_id = over.session_id and sealed is not null
  and over.machine_id is not null and over.turn >= waiting.turn`

/** Rows of the queue of several machines in the store. */
export function createStartRows(
  pool: pg.Pool,
  db: NodePgDatabase,
  store: Pick<SessionStore, 'findSession' | 'findSessionByIdempotencyKey'>,
): StartStore {
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }
  const query = <T extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    pool.query<T>({ name: statementName(text), text, values }).catch(fail)

  /** Its own row from an earlier attempt, or a session with the same key. */
  const findExisting = async ({ id, owner, idempotencyKey }: SessionRecord): Promise<InsertSessionOutcome | null> => {
    if (await store.findSession(id)) return { kind: 'inserted' }
    const record = idempotencyKey === null ? null : await store.findSessionByIdempotencyKey(owner, idempotencyKey)
    return record && { kind: 'exists', record }
  }

  const listWaiting = async (condition: SQL) => {
    const isWaiting = and(eq(sessions.status, 'CREATING'), eq(sessions.machineId, ''))
    const rows = await db
      .select(getTableColumns(sessions))
      .from(sessionStarts)
      .innerJoin(sessions, eq(sessions.id, sessionStarts.sessionId))
      .where(and(isWaiting, condition))
      .orderBy(asc(sessions.createdAt), asc(sessions.id))
      .limit(MAX_LISTED)
      .catch(fail)
    return rows.map(recordOfRow)
  }

  return {
    queueSession: async (record, entries, sealed, maxQueued) => {
      const columns = columnsOfNew(record, entries)
      const names = Object.keys(columns)
      const next = names.length + 1
      const [owner, content, most, arrays] = [`$${next}::text`, `$${next + 1}::bytea`, `$${next + 2}::int`, next + 3]
      const text = `
        with free as (${FREE_SLOTS}), queue as (${WAITING_COUNT}), bound as (
          select queue.waiting < free.slots + ${most} as "isAdmitted" from free, queue
        ), moved as (
          insert into sessions (${names.join(', ')})
          select ${names.map((_, index) => `$${index + 1}`).join(', ')} from bound where "isAdmitted"
          on conflict do nothing
          returning id
        ), added as (
          ${insertEntries('moved.id', '0', arrays)}
        ), queued as (
          insert into session_starts (session_id, owner, turn, queued_at, sealed, version)
          select moved.id, ${owner}, ${NEXT_TURN(owner)}, clock_timestamp(), ${content}, ${START_VERSION} from moved
        )
        select "isAdmitted", exists (select from moved) as "isInserted" from bound`
      const values = [
        ...Object.values(columns),
        record.owner,
        Buffer.from(sealed),
        maxQueued,
        ...arraysOfEntries(entries),
      ]
      for (;;) {
        const { isAdmitted, isInserted } = await inTransaction(pool, text, values)
        if (isInserted) return { kind: 'inserted' }
        const existing = await findExisting(record)
        if (existing) return existing
        if (isAdmitted) continue
        const { rows } = await query<{ ms: number | null }>(FREE_IN)
        return { kind: 'full', freeInMs: rows[0]!.ms }
      }
    },

    claimStart: async ({ machineId, machineEpoch, live, warm, graceMs, version }) => {
      for (;;) {
        type Row = ClaimedStart & { isClaimed: boolean; others: number }
        const { rows } = await query<{ [Member in keyof Row]: Row[Member] | null }>(CLAIM, [
          machineId,
          machineEpoch,
          live,
          warm,
          graceMs,
          version,
        ])
        const { sessionId, sealed, waitedMs, isClaimed, others } = rows[0]!
        // One that was canceled meanwhile.
        if (sessionId && !isClaimed) continue
        const claimed = sessionId && sealed ? { sessionId, sealed, waitedMs: waitedMs ?? 0 } : null
        return { claimed, othersWait: (others ?? 0) > 0 }
      }
    },

    listHeldStarts: async (machineId, machineEpoch) => {
      const { rows } = await query<{ id: string }>(
        `select id from sessions
        where machine_id = $1 and machine_epoch = $2::bigint and status = 'CREATING'
          and exists (select from session_starts where session_id = id)`,
        [machineId, machineEpoch],
      )
      return rows.map(({ id }) => id)
    },

    releaseStart: async (sessionId, { machineId, machineEpoch }) => {
      const { rowCount } = await query(RELEASE, [sessionId, machineId, machineEpoch])
      return rowCount === 1
    },

    releaseLostStarts: async () => (await query(RELEASE_LOST)).rowCount ?? 0,

    countWaitingStarts: async () => (await query<{ waiting: number }>(WAITING_COUNT)).rows[0]!.waiting,

    listLostStarts: () => listWaiting(gte(sessionStarts.lostMachines, MAX_LOST_MACHINES)),

    listOverdueStarts: () =>
      // Not since it was created, which is by the clock of another machine.
      listWaiting(sql`${sessionStarts.queuedAt} + ${sessions.maxDurationSeconds} * interval '1 second' < now()`),

    deleteStarts: async () => {
      await query(DELETE)
    },
  }
}

interface Admission {
  isAdmitted: boolean
  isInserted: boolean
}

async function inTransaction(pool: pg.Pool, text: string, values: unknown[]): Promise<Admission> {
  let client: pg.PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    throw asStoreError(error)
  }
  try {
    await client.query(BEGIN)
    const { rows } = await client.query<Admission>({ name: statementName(text), text, values })
    await client.query('commit')
    client.release()
    return rows[0]!
  } catch (error) {
    // Its connection ends, and the transaction with it.
    client.release(true)
    throw asAppendError(error)
  }
}
