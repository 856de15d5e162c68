import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { MIGRATIONS } from '../../package-files.ts'
import { DatabaseUnusable, type Database } from './open-database.ts'

/** Any number, so long as every version of Tabwire takes the same one. */
const LOCK = 7_420_311_906

/**
 * Brings the tables up to date. Of several servers that start at once, one does it while the others wait. Refuses a
 * database that a newer version has already changed.
 */
export async function migrateDatabase(database: Database): Promise<void> {
  // A connection of its own, without the pool's time limits: a migration of a large table takes as long as it takes,
  // and so does waiting for another server's.
  const client = database.createClient()
  client.on('error', () => {
    // Whatever ends the connection also fails the statement that is waiting on it, and is told there.
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
