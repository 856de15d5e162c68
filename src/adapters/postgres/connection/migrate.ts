import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { MIGRATIONS } from '../../../package-files.ts'
import { DatabaseUnusable, type Database } from './open-database.ts'

/** Any number, as long as every version of Tabwire uses the same one. */
const LOCK = 7_420_311_906

/**
 * Migrates the tables to the newest version. If several servers start at once, one migrates while the others wait.
 * Refuses a database that a newer version has already changed.
 */
export async function migrateDatabase(database: Database): Promise<void> {
  // A separate connection, without the pool's timeouts: migrating a large table may take any time, and so may waiting
  // for another server's migration.
  const client = database.createClient()
  client.on('error', () => {
    // An error of the connection also fails the pending statement, and is reported there.
  })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK])
    await refuseNewer(client)
    await migrate(drizzle(client), { migrationsFolder: fileURLToPath(MIGRATIONS) })
  } finally {
    await client.end()
  }
}

async function refuseNewer(client: ReturnType<Database['createClient']>): Promise<void> {
  const { rows: found } = await client.query<{ table: string | null }>(
    `select to_regclass('drizzle.__drizzle_migrations')::text as "table"`,
  )
  if (!found[0]?.table) return
  const { rows } = await client.query<{ latest: string | null }>(
    'select max(created_at) as latest from drizzle.__drizzle_migrations',
  )
  const journal = JSON.parse(await readFile(new URL('meta/_journal.json', MIGRATIONS), 'utf8')) as {
    entries: { when: number }[]
  }
  const known = Math.max(...journal.entries.map((entry) => entry.when))
  if (Number(rows[0]?.latest ?? 0) > known) {
    throw new DatabaseUnusable(
      'The database was changed by a newer version of Tabwire; start that version or a later one.',
    )
  }
}
