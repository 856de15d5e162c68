import { and, asc, count, eq, gt, inArray, lt, or, sum } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import type { ArtifactKind, ArtifactRecord } from '../../ports/artifact.ts'
import type { Store } from '../../ports/store.ts'
import { asStoreError } from './database-errors.ts'
import { artifacts, sessions } from './tables.ts'

export type ArtifactRows = Pick<
  Store,
  | 'insertArtifact'
  | 'findArtifact'
  | 'listArtifacts'
  | 'countArtifacts'
  | 'deleteArtifact'
  | 'sumArtifactBytes'
  | 'listArtifactsEndedBefore'
  | 'findArtifactIds'
>

/** Rows that one step of the retention looks at. */
const STEP = 200

/** Who keeps an artifact of the same owner meanwhile waits, so that two cannot both fit into the last of a quota. */
const LOCK = 'select pg_advisory_xact_lock(hashtextextended($1, 0))'
const INSERT = `
insert into artifacts (id, session_id, owner, kind, name, content_type, size_bytes, sha256, page_id, created_at)
select $1, $2, $3, $4, $5, $6, $7::bigint, $8, $9, $10
where (select coalesce(sum(size_bytes), 0) from artifacts where owner = $3) + $7::bigint <= $11::bigint
on conflict (id) do nothing`

/** On a connection of its own, and with nothing else asked of the pool meanwhile: the embedded one has no second. */
async function insertWithin(pool: pg.Pool, record: ArtifactRecord, quotaBytes: number): Promise<boolean> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(LOCK, [record.owner])
    const { id, sessionId, owner, kind, name, contentType, sizeBytes, sha256, pageId, createdAt } = record
    const at = new Date(createdAt).toISOString()
    const values = [id, sessionId, owner, kind, name, contentType, sizeBytes, sha256, pageId, at, quotaBytes]
    const { rowCount } = await client.query(INSERT, values)
    await client.query('commit')
    client.release()
    return rowCount === 1
  } catch (error) {
    // A connection that cannot even roll back is closed, and with it its transaction.
    const broken = await client.query('rollback').then(
      () => false,
      () => true,
    )
    client.release(broken)
    throw error
  }
}

/** The part of the store that keeps the rows of artifacts. */
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
      if (await insertWithin(pool, record, quotaBytes).catch(fail)) return true
      // Said again after a lost answer, it stands there already.
      return (await findArtifact(record.id)) !== null
    },
    findArtifact,
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
    countArtifacts: async (sessionId, kind) => {
      const rows = await db.select({ count: count() }).from(artifacts).where(ofSession(sessionId, kind)).catch(fail)
      return rows[0]?.count ?? 0
    },
    deleteArtifact: async (id) => {
      const rows = await db.delete(artifacts).where(eq(artifacts.id, id)).returning({ id: artifacts.id }).catch(fail)
      return rows.length > 0
    },
    sumArtifactBytes: async (owner) => {
      const rows = await db
        .select({ bytes: sum(artifacts.sizeBytes) })
        .from(artifacts)
        .where(eq(artifacts.owner, owner))
        .catch(fail)
      return Number(rows[0]?.bytes ?? 0)
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
