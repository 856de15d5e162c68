import { and, asc, eq, inArray, lt, sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { SIGN_IN_KEY_NAME } from '../../../ports/access/api-key.ts'
import type { Store } from '../../../ports/store/store.ts'
import { asStoreError } from '../base/database-errors.ts'
import { apiKeys } from '../base/tables.ts'

export type ApiKeyStore = Pick<
  Store,
  | 'insertApiKey'
  | 'findApiKeyByHash'
  | 'findApiKey'
  | 'findApiKeys'
  | 'listApiKeys'
  | 'revokeApiKey'
  | 'touchApiKey'
  | 'setApiKeyScopes'
  | 'deleteExpiredApiKeys'
>

/** API keys in the store. */
export function createApiKeyStore(db: NodePgDatabase): ApiKeyStore {
  const fail = (error: unknown): never => {
    throw asStoreError(error)
  }
  return {
    insertApiKey: async (record) => {
      const insert = db.insert(apiKeys).values(record).onConflictDoNothing({ target: apiKeys.id })
      const { rowCount } = await insert.catch(fail)
      return rowCount === 1
    },
    findApiKeyByHash: async (secretHash) => {
      const rows = await db.select().from(apiKeys).where(eq(apiKeys.secretHash, secretHash)).catch(fail)
      return rows[0] ?? null
    },
    findApiKey: async (id) => {
      const rows = await db.select().from(apiKeys).where(eq(apiKeys.id, id)).catch(fail)
      return rows[0] ?? null
    },
    findApiKeys: (ids) =>
      db
        .select()
        .from(apiKeys)
        .where(inArray(apiKeys.id, [...ids]))
        .catch(fail),
    listApiKeys: (owner, limit) => {
      const listed = db
        .select()
        .from(apiKeys)
        .where(owner === null ? undefined : eq(apiKeys.owner, owner))
        .orderBy(asc(apiKeys.createdAt), asc(apiKeys.id))
      return (limit === undefined ? listed : listed.limit(limit)).catch(fail)
    },
    revokeApiKey: async (id, time) => {
      const revokedAt = sql`coalesce(${apiKeys.revokedAt}, ${sql.param(time, apiKeys.revokedAt)})`
      const rows = await db.update(apiKeys).set({ revokedAt }).where(eq(apiKeys.id, id)).returning().catch(fail)
      return rows[0] ?? null
    },
    touchApiKey: async (id, time) => {
      await db.update(apiKeys).set({ lastUsedAt: time }).where(eq(apiKeys.id, id)).catch(fail)
    },
    setApiKeyScopes: async (id, scopes) => {
      await db
        .update(apiKeys)
        .set({ scopes: [...scopes] })
        .where(eq(apiKeys.id, id))
        .catch(fail)
    },
    deleteExpiredApiKeys: async (time) => {
      await db
        .delete(apiKeys)
        .where(and(eq(apiKeys.name, SIGN_IN_KEY_NAME), lt(apiKeys.expiresAt, time)))
        .catch(fail)
    },
  }
}
