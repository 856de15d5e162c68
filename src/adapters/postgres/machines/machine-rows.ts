import { asc, eq, isNull, or, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import type { MachineReport, MachineStore } from '../../../ports/machines/machine-store.ts'
import { asStoreError } from '../base/database-errors.ts'
import { machines } from '../base/tables.ts'

const MAX_LISTED = 200

const REPORTED = ['address', 'version', 'slots', 'live', 'queued', 'warm', 'draining'] as const

const valuesOf = (report: MachineReport) => REPORTED.map((member) => report[member])

/** A duration in milliseconds. */
const milliseconds = (parameter: string) => `${parameter}::float8 * interval '1 millisecond'`

/** The report is $4 to $10. */
const begin = (condition: string) => `
  insert into machines (id, epoch, instance, ${REPORTED.join(', ')}, started_at, heartbeat_at, lease_until, steady_since)
  values ($1, 1, $3, $4, $5, $6, $7, $8, $9, $10, now(), now(), now() + ${milliseconds('$2')}, now())
  on conflict (id) do update set epoch = machines.epoch + 1, instance = excluded.instance, left_at = null,
    ${REPORTED.map((column) => `${column} = excluded.${column}`).join(', ')},
    ${['heartbeat_at', 'lease_until', 'steady_since'].map((column) => `${column} = excluded.${column}`).join(', ')}
    ${condition}
  returning epoch::float8 as epoch`

/** A server that has just started replaces what an earlier process left behind. */
const BEGIN = begin('').replace('left_at = null,', 'left_at = null, started_at = excluded.started_at,')
/** The response to the last attempt may have been lost. */
const BEGIN_AGAIN = begin('where machines.left_at is not null or machines.instance = excluded.instance')

/** A clock that was set back, or that of a standby which was promoted, must not keep a machine waiting. */
const RENEW = `
  update machines set ${REPORTED.map((column, index) => `${column} = $${index + 4}`).join(', ')},
    heartbeat_at = now(), lease_until = now() + ${milliseconds('$2')},
    steady_since = case when lease_until < now() or steady_since > now() then now() else steady_since end
  where id = $1 and epoch = $3`

const TAKE_EXPIRED = `
  update machines set epoch = epoch + 1, left_at = now()
  where left_at is null and lease_until < now() and id <> $1 and exists (
    select 1 from machines as own
    where own.id = $1 and own.epoch = $3 and own.lease_until > now() and own.steady_since <= now() - ${milliseconds('$2')}
  )
  returning id`

const LEAVE = `
  update machines set epoch = epoch + 1, draining = true, lease_until = now(), left_at = now()
  where id = $1 and epoch = $2`

const DELETE_LEFT = `
  delete from machines where left_at < now() - interval '1 hour' and not exists (
    select 1 from sessions where machine_id = machines.id and status in ('CREATING', 'RUNNING')
  )`

const columnsListed = () => {
  const { id, epoch, address, version, slots, live, queued, warm, draining } = machines
  const { startedAt, heartbeatAt, leaseUntil, leftAt } = machines
  const described = { address, version, slots, live, queued, warm, draining }
  const isAlive = sql<boolean>`${leftAt} is null and ${leaseUntil} > now()`
  return { id, epoch, ...described, startedAt, heartbeatAt, leaseUntil, leftAt, isAlive }
}

/** Rows of machines in the store. */
export function createMachineRows(pool: pg.Pool): MachineStore {
  const db = drizzle(pool)
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }
  const query = <T extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    pool.query<T>(text, values).catch(fail)

  return {
    begin: async ({ id, leaseMs, instance }, report) => {
      const { rows } = await query<{ epoch: number }>(BEGIN, [id, leaseMs, instance, ...valuesOf(report)])
      return rows[0]!.epoch
    },
    beginAgain: async ({ id, leaseMs, instance }, report) => {
      const { rows } = await query<{ epoch: number }>(BEGIN_AGAIN, [id, leaseMs, instance, ...valuesOf(report)])
      return rows[0]?.epoch ?? null
    },
    renew: async ({ id, leaseMs }, epoch, report) => {
      const { rowCount } = await query(RENEW, [id, leaseMs, epoch, ...valuesOf(report)])
      return rowCount === 1
    },
    takeExpired: async ({ id, leaseMs }, epoch) => {
      const { rows } = await query<{ id: string }>(TAKE_EXPIRED, [id, leaseMs, epoch])
      return rows.map((row) => row.id)
    },
    leave: async (id, epoch) => {
      await query(LEAVE, [id, epoch])
    },
    list: async () => {
      return await db
        .select(columnsListed())
        .from(machines)
        .where(or(isNull(machines.leftAt), eq(machines.draining, false)))
        .orderBy(asc(machines.startedAt), asc(machines.id))
        .limit(MAX_LISTED)
        .catch(fail)
    },
    deleteLeft: async () => {
      await query(DELETE_LEFT)
    },
  }
}
