import { and, asc, count, desc, eq, gt, inArray, lt, or } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import type { ArtifactKind } from '../../../ports/artifacts/artifact.ts'
import type { Store } from '../../../ports/store/store.ts'
import { asStoreError } from '../base/database-errors.ts'
import { artifacts, artifactUsage, sessions } from '../base/tables.ts'

export type ArtifactRows = Pick<
  Store,
  | 'insertArtifact'
  | 'findArtifact'
  | 'findArtifacts'
  | 'listArtifacts'
  | 'findNewestArtifact'
  | 'countArtifacts'
  | 'deleteArtifact'
  | 'sumArtifactBytes'
  | 'listArtifactsEndedBefore'
  | 'findArtifactIds'
>

/** Rows per step of the retention. */
const STEP = 200

/**
 * Updating the owner's row, even without a change, makes concurrent inserts of the same owner wait and then see each
 * other's rows: two cannot both use the last bytes of a quota. A single statement, since each round trip to the
 * database costs as much as storing a small file.
 */
const INSERT = `
with usage as (
  insert into artifact_usage (owner, bytes) values ($3, 0)
  on conflict (owner) do update set bytes = artifact_usage.bytes
  returning bytes + body_bytes as taken
)
insert into artifacts (id, session_id, owner, kind, name, content_type, size_bytes, sha256, page_id, created_at)
select $1, $2, $3, $4, $5, $6, $7::bigint, $8, $9, $10
from usage where taken + $7::bigint <= $11::bigint
on conflict (id) do nothing`

/** A single statement, so that there is no moment at which a deleted upload could be repeated. */
const DELETE = `
with gone as (
  delete from artifacts where id = $1 returning id
), used_up as (
  update upload_claims set machine_id = null where artifact_id in (select id from gone)
)
select id from gone`

/** Rows of artifacts in the store. */
export function createArtifactRows(pool: pg.Pool, db: NodePgDatabase): ArtifactRows {
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }
  const ofSession = (sessionId: string, kind: ArtifactKind | null) =>
    and(eq(artifacts.sessionId, sessionId), kind === null ? undefined : eq(artifacts.kind, kind))

  const findArtifact: ArtifactRows['findArtifact'] = async (id) => {
    const rows = await db.select().from(artifacts).where(eq(artifacts.id, id)).catch(fail)
    return rows[0] ?? null
  }

  return {
    insertArtifact: async (record, quotaBytes) => {
      const { id, sessionId, owner, kind, name, contentType, sizeBytes, sha256, pageId, createdAt } = record
      const at = new Date(createdAt).toISOString()
      const values = [id, sessionId, owner, kind, name, contentType, sizeBytes, sha256, pageId, at, quotaBytes]
      const { rowCount } = await pool.query(INSERT, values).catch(fail)
      if (rowCount === 1) return true
      // A retry after a lost response finds the row already there.
      return (await findArtifact(record.id)) !== null
    },
    findArtifact,
    findArtifacts: (ids) =>
      db
        .select()
        .from(artifacts)
        .where(inArray(artifacts.id, [...ids]))
        .catch(fail),
    listArtifacts: ({ sessionId, kind, after, limit }) => {
      const { createdAt, id } = artifacts
      const beyond =
        after === null
          ? undefined
          : or(gt(createdAt, after.createdAt), and(eq(createdAt, after.createdAt), gt(id, after.id)))
      return db
        .select()
        .from(artifacts)
        .where(and(ofSession(sessionId, kind), beyond))
        .orderBy(asc(createdAt), asc(id))
        .limit(limit)
        .catch(fail)
    },
    findNewestArtifact: async (sessionId, kind, name) => {
      const { createdAt, id } = artifacts
      const rows = await db
        .select()
        .from(artifacts)
        .where(and(ofSession(sessionId, kind), eq(artifacts.name, name)))
        .orderBy(desc(createdAt), desc(id))
        .limit(1)
        .catch(fail)
      return rows[0] ?? null
    },
    countArtifacts: async (sessionId, kind) => {
      const rows = await db.select({ count: count() }).from(artifacts).where(ofSession(sessionId, kind)).catch(fail)
      return rows[0]?.count ?? 0
    },
    deleteArtifact: async (id) => {
      const { rowCount } = await pool.query(DELETE, [id]).catch(fail)
      return rowCount === 1
    },
    sumArtifactBytes: async (owner) => {
      const rows = await db
        .select({ bytes: artifactUsage.bytes })
        .from(artifactUsage)
        .where(eq(artifactUsage.owner, owner))
        .catch(fail)
      return rows[0]?.bytes ?? 0
    },
    listArtifactsEndedBefore: async (time) => {
      const rows = await db
        .select({ artifact: artifacts })
        .from(sessions)
        .innerJoin(artifacts, eq(artifacts.sessionId, sessions.id))
        .where(lt(sessions.endedAt, time))
        .limit(STEP)
        .catch(fail)
      return rows.map(({ artifact }) => artifact)
    },
    findArtifactIds: async (ids) => {
      const rows = await db
        .select({ id: artifacts.id })
        .from(artifacts)
        .where(inArray(artifacts.id, [...ids]))
        .catch(fail)
      return rows.map(({ id }) => id)
    },
  }
}
