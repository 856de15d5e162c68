import { drizzle } from 'drizzle-orm/node-postgres'
import type { DatabaseConfig } from '../../config.ts'
import type { Store } from '../../ports/store.ts'
import { createApiKeyStore } from './api-key-store.ts'
import { createArtifactRows } from './artifact-rows.ts'
import { asStoreError } from './database-errors.ts'
import { createEntryStore } from './entry-store.ts'
import { migrateDatabase } from './migrate.ts'
import { openDatabase, type DatabaseEnvironment } from './open-database.ts'
import { createProfileStore } from './profile-store.ts'
import { ReadTurns } from './read-turns.ts'
import { createRetention } from './retention.ts'
import { createSessionStore } from './session-store.ts'
import { createTaskStore } from './task-store.ts'
import { createUploadClaims } from './upload-claims.ts'

/** Connections of the pool that reads leave to everyone else; where there is only one, one read is let at it. */
const CONNECTIONS_BESIDE_READS = 4

/**
 * Opens the database, brings its tables up to date and returns the store over it. Rejects with DatabaseUnusable, whose
 * message is one line for people.
 */
export async function openStore(config: DatabaseConfig, environment: DatabaseEnvironment): Promise<Store> {
  await using opening = new AsyncDisposableStack()
  const database = opening.adopt(await openDatabase(config, environment), (opened) => opened.close())
  await migrateDatabase(database)
  opening.move()

  const { pool } = database
  let closing: Promise<void> | null = null
  const db = drizzle(pool)
  const turns = new ReadTurns(Math.max(1, pool.options.max - CONNECTIONS_BESIDE_READS))
  return {
    ...createSessionStore(pool, db, turns),
    ...createEntryStore(pool, turns),
    ...createApiKeyStore(db),
    ...createArtifactRows(pool, db),
    ...createUploadClaims(pool, db),
    ...createProfileStore(db),
    ...createTaskStore(db),
    ...createRetention(database),
    ping: async () => {
      await pool.query('select 1').catch((error: unknown) => {
        throw asStoreError(error)
      })
    },
    describe: () => database.describe(),
    close: () => (closing ??= database.close()),
  }
}
