import { inArray, lt } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type pg from 'pg'
import type { Store } from '../../../ports/store/store.ts'
import { asStoreError } from '../base/database-errors.ts'
import { uploadClaims } from '../base/tables.ts'

/** Rows deleted per step of the retention. */
const STEP = 500

/** The key decides between servers; within a server, its own list of running uploads does. */
const CLAIM = `
insert into upload_claims (artifact_id, machine_id, expires_at)
select $1::uuid, $2, $3 where not exists (select from artifacts where id = $1::uuid)
on conflict (artifact_id) do update set machine_id = excluded.machine_id
where upload_claims.machine_id = excluded.machine_id`

const RELEASE = `
delete from upload_claims
where artifact_id = $1 and not exists (select from artifacts where id = $1)`

/** Claims in the store, which make each upload link single-use. */
export function createUploadClaims(
  pool: pg.Pool,
  db: NodePgDatabase,
): Pick<Store, 'claimUpload' | 'releaseUpload' | 'deleteUploadClaims'> {
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }
  return {
    claimUpload: async ({ artifactId, machineId, expiresAt }) => {
      const values = [artifactId, machineId, new Date(expiresAt).toISOString()]
      const { rowCount } = await pool.query(CLAIM, values).catch(fail)
      return rowCount === 1
    },
    releaseUpload: async (artifactId) => {
      await pool.query(RELEASE, [artifactId]).catch(fail)
    },
    deleteUploadClaims: async (expiredBefore) => {
      const due = db
        .select({ artifactId: uploadClaims.artifactId })
        .from(uploadClaims)
        .where(lt(uploadClaims.expiresAt, expiredBefore))
        .limit(STEP)
      const { rowCount } = await db.delete(uploadClaims).where(inArray(uploadClaims.artifactId, due)).catch(fail)
      return (rowCount ?? 0) > 0
    },
  }
}
