import type pg from 'pg'
import type { Store } from '../../../ports/store/store.ts'
import { asStoreError } from '../base/database-errors.ts'
import { statementName } from '../base/prepared-statements.ts'
import { KIND_CODES } from '../base/tables.ts'

type BodyRows = Pick<
  Store,
  | 'referToBody'
  | 'insertBody'
  | 'findBodies'
  | 'sumBodyBytes'
  | 'deleteUnusedBodies'
  | 'forgetBodies'
  | 'findBodyKeys'
  | 'findBodyOwners'
>

/** Rows per step. */
const STEP = 200
/** Entries per step whose bodies are removed; each may have two, and is rewritten. */
const ENTRY_STEP = 200

/**
 * Updating the body's row makes a concurrent deletion of unused bodies check it again, and skip it: see DELETE_UNUSED.
 */
const REFER = `
with used as (
  update bodies set last_used_at = greatest(last_used_at, $4)
  where owner = $2 and sha256 = $3 and seal is not distinct from $5
  returning owner, sha256
), referred as (
  insert into body_references (session_id, owner, sha256) select $1, owner, sha256 from used
  on conflict do nothing
)
select 1 from used`

/**
 * As with artifacts, updating the owner's row serializes inserts of the same owner. A body that was stored meanwhile
 * remains, unless it is encrypted with another key: then these bytes, which can be read, replace it.
 */
const INSERT = `
with usage as (
  insert into artifact_usage (owner, bytes) values ($2, 0)
  on conflict (owner) do update set bytes = artifact_usage.bytes
  returning bytes + body_bytes as taken
), kept as (
  insert into bodies (owner, sha256, key, seal, size_bytes, created_at, last_used_at)
  select $2, $3, $4, $5, $6::bigint, $7, $7 from usage
  where taken + $6::bigint <= $8::bigint or exists (select from bodies where owner = $2 and sha256 = $3)
  on conflict (owner, sha256) do update set
    last_used_at = greatest(bodies.last_used_at, excluded.last_used_at),
    key = case when bodies.seal is not distinct from excluded.seal then bodies.key else excluded.key end,
    seal = excluded.seal
  returning owner, sha256, key
), referred as (
  insert into body_references (session_id, owner, sha256) select $1, owner, sha256 from kept
  on conflict do nothing
)
select key from kept`

/**
 * A body that another transaction has just referred to is checked again after its commit (its row was updated), and
 * remains. Two servers that delete at once take different rows.
 */
const DELETE_UNUSED = `
with unused as (
  select owner, sha256 from bodies
  where reference_count = 0 and last_used_at < $1
  order by last_used_at limit ${STEP}
  for update skip locked
)
delete from bodies using unused
where bodies.owner = unused.owner and bodies.sha256 = unused.sha256
returning bodies.key`

const NEXT_WITH_BODIES = `
select id from sessions
where ended_at < $1 and not bodies_forgotten and status not in ('CREATING', 'RUNNING')
order by ended_at, id limit 1`

/** Examines some entries of requests, and removes the bodies from those that have one. */
const FORGET_ENTRIES = `
with looked as (
  select sequence, content is not null as has_content, coalesce(content::jsonb, data) as data from log_entries
  where session_id = $1 and kind = ${KIND_CODES.NETWORK_REQUEST} and sequence > $2::int
  order by sequence limit ${ENTRY_STEP}
), forgotten as (
  select sequence, has_content, data
    || case when jsonb_typeof(data -> 'requestBody') = 'object'
         then '{"requestBody": null, "requestBodyOmitted": "EXPIRED"}'::jsonb else '{}' end
    || case when jsonb_typeof(data -> 'responseBody') = 'object'
         then '{"responseBody": null, "responseBodyOmitted": "EXPIRED"}'::jsonb else '{}' end as data
  from looked
  where jsonb_typeof(data -> 'requestBody') = 'object' or jsonb_typeof(data -> 'responseBody') = 'object'
), changed as (
  update log_entries set data = case when has_content then log_entries.data else forgotten.data end,
    content = case when has_content then forgotten.data::json end,
    bytes = octet_length(forgotten.data::text)
  from forgotten
  where log_entries.session_id = $1 and log_entries.sequence = forgotten.sequence
)
select max(sequence)::int as last, count(*)::int as looked from looked`

const FORGET_REFERENCES = `
delete from body_references where ctid in (
  select ctid from body_references where session_id = $1 limit ${STEP}
)`

/** Rows of bodies in the store. */
export function createBodyRows(pool: pg.Pool): BodyRows {
  const run = async <Row extends pg.QueryResultRow>(text: string, values: unknown[]) =>
    pool.query<Row>({ name: statementName(text), text, values }).catch((error: unknown): never => {
      throw asStoreError(error)
    })
  const instant = (time: number) => new Date(time).toISOString()

  return {
    referToBody: async (sessionId, { owner, sha256, seal }, at) => {
      const { rowCount } = await run(REFER, [sessionId, owner, sha256, instant(at), seal])
      return rowCount === 1
    },

    insertBody: async (sessionId, { owner, sha256, key, seal, sizeBytes, createdAt }, quotaBytes) => {
      const values = [sessionId, owner, sha256, key, seal, sizeBytes, instant(createdAt), quotaBytes]
      const { rows } = await run<{ key: string }>(INSERT, values)
      const [kept] = rows
      if (!kept) return 'OVER_QUOTA'
      return kept.key === key ? 'KEPT' : 'KNOWN'
    },

    findBodies: async (owner, hashes) => {
      const { rows } = await run<{
        sha256: string
        key: string
        seal: string | null
        sizeBytes: string
        createdAt: Date
      }>(
        `select sha256, key, seal, size_bytes as "sizeBytes", created_at as "createdAt"
         from bodies where owner = $1 and sha256 = any($2::text[])`,
        [owner, [...hashes]],
      )
      return rows.map(({ sizeBytes, createdAt, ...row }) => ({
        ...row,
        owner,
        sizeBytes: Number(sizeBytes),
        createdAt: createdAt.getTime(),
      }))
    },

    sumBodyBytes: async (owner) => {
      const { rows } = await run<{ bytes: string }>('select body_bytes as bytes from artifact_usage where owner = $1', [
        owner,
      ])
      return Number(rows[0]?.bytes ?? 0)
    },

    deleteUnusedBodies: async (unusedSince) => {
      const { rows } = await run<{ key: string }>(DELETE_UNUSED, [instant(unusedSince)])
      return rows.map(({ key }) => key)
    },

    forgetBodies: async (endedBefore, after) => {
      const sessionId =
        after?.sessionId ?? (await run<{ id: string }>(NEXT_WITH_BODIES, [instant(endedBefore)])).rows[0]?.id
      if (sessionId === undefined) return null
      const { rows } = await run<{ last: number | null; looked: number }>(FORGET_ENTRIES, [
        sessionId,
        after?.sequence ?? 0,
      ])
      const { last, looked } = rows[0]!
      if (looked === ENTRY_STEP) return { sessionId, sequence: last! }
      const here = { sessionId, sequence: last ?? after?.sequence ?? 0 }
      if ((await run(FORGET_REFERENCES, [sessionId])).rowCount === STEP) return here
      await run('update sessions set bodies_forgotten = true where id = $1', [sessionId])
      return { sessionId: null, sequence: 0 }
    },

    findBodyKeys: async (keys) => {
      const { rows } = await run<{ key: string }>('select key from bodies where key = any($1::text[])', [[...keys]])
      return rows.map(({ key }) => key)
    },

    findBodyOwners: async (hashes) => {
      const { rows } = await run<{ hash: string }>(
        `select hash from (
           select left(encode(sha256(convert_to(owner, 'UTF8')), 'hex'), 32) as hash from artifact_usage
         ) as owners where hash = any($1::text[])`,
        [[...hashes]],
      )
      return rows.map(({ hash }) => hash)
    },
  }
}
