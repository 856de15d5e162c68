import { asc, eq } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Store } from '../../../ports/store/store.ts'
import { asStoreError } from '../base/database-errors.ts'
import { profiles } from '../base/tables.ts'

export type ProfileStore = Pick<
  Store,
  'saveProfile' | 'findProfile' | 'describeProfile' | 'listProfiles' | 'deleteProfile'
>

/** Profiles in the store. */
export function createProfileStore(db: NodePgDatabase): ProfileStore {
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }
  const shown = {
    id: profiles.id,
    owner: profiles.owner,
    name: profiles.name,
    sizeBytes: profiles.sizeBytes,
    createdAt: profiles.createdAt,
    updatedAt: profiles.updatedAt,
  }
  return {
    saveProfile: async (record) => {
      const { sealed, sizeBytes, updatedAt } = record
      const rows = await db
        .insert(profiles)
        .values(record)
        .onConflictDoUpdate({ target: [profiles.owner, profiles.name], set: { sealed, sizeBytes, updatedAt } })
        .returning(shown)
        .catch(fail)
      return rows[0]!
    },
    findProfile: async (id) => {
      const rows = await db.select().from(profiles).where(eq(profiles.id, id)).catch(fail)
      return rows[0] ?? null
    },
    describeProfile: async (id) => {
      const rows = await db.select(shown).from(profiles).where(eq(profiles.id, id)).catch(fail)
      return rows[0] ?? null
    },
    listProfiles: (owner) =>
      db.select(shown).from(profiles).where(eq(profiles.owner, owner)).orderBy(asc(profiles.name)).catch(fail),
    deleteProfile: async (id) => {
      const rows = await db.delete(profiles).where(eq(profiles.id, id)).returning({ id: profiles.id }).catch(fail)
      return rows.length > 0
    },
  }
}
