import type { Store } from '../../../ports/store/store.ts'
import { asStoreError } from '../base/database-errors.ts'
import type { Database } from '../connection/open-database.ts'

/** Max rows deleted per step: blocks the embedded database's one backend for some ten milliseconds. */
const STEP = 1000

/** A session with artifacts keeps its log, too, until they are deleted, and does not delay others. */
const HAS_NO_ARTIFACTS = 'not exists (select from artifacts where session_id = session.id)'

/** Entries of the sessions that ended longest ago, one step of them. */
const DELETE_ENTRIES = `
delete from log_entries where ctid in (
  select entry.ctid
  from (
    select id from sessions as session where ended_at < $1 and ${HAS_NO_ARTIFACTS} order by ended_at limit 100
  ) as session
  cross join lateral (
    select ctid from log_entries where session_id = session.id order by sequence limit ${STEP}
  ) as entry
  limit ${STEP}
)`

const DELETE_REFERENCES = `
delete from body_references where ctid in (
  select reference.ctid
  from (
    select id from sessions as session
    where ended_at < $1 and exists (select from body_references where session_id = session.id)
      and not exists (select from log_entries where session_id = session.id)
    order by ended_at limit 100
  ) as session
  cross join lateral (
    select ctid from body_references where session_id = session.id limit ${STEP}
  ) as reference
  limit ${STEP}
)`

const DELETE_SESSIONS = `
with gone as (
  select id from sessions as session
  where ended_at < $1 and status not in ('CREATING', 'RUNNING')
    and not exists (select from log_entries where session_id = session.id)
    and ${HAS_NO_ARTIFACTS}
    and not exists (select from body_references where session_id = session.id)
  order by ended_at limit 100
), without_tasks as (
  delete from tasks where session_id in (select id from gone)
), without_starts as (
  delete from session_starts where session_id in (select id from gone)
)
delete from sessions where id in (select id from gone)`

/** Deletes expired rows. */
export function createRetention({ pool }: Database): Pick<Store, 'deleteEndedBefore'> {
  return {
    deleteEndedBefore: async (time) => {
      const before = [new Date(time).toISOString()]
      const run = (text: string) =>
        pool.query(text, before).catch((error: unknown) => {
          throw asStoreError(error)
        })
      for (const step of [DELETE_ENTRIES, DELETE_REFERENCES]) {
        const { rowCount } = await run(step)
        if (rowCount) return true
      }
      const deleted = await run(DELETE_SESSIONS)
      return (deleted.rowCount ?? 0) > 0
    },
  }
}
