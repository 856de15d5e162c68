import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { DatabaseConfig } from '../src/config.ts'
import { startPostgres } from '../test/support/databases.ts'
import { parentOf } from './cpu-time.ts'

export const DATABASE_KINDS = ['embedded', 'postgres'] as const
export type DatabaseKind = (typeof DATABASE_KINDS)[number]

/** A separate database for one server at a time, initially empty. */
export interface DatabaseSpace {
  config: DatabaseConfig
  dataDir: string
  /** Environment variables for the server under test. */
  environment: Record<string, string>
  /** Connection settings for direct access while the server runs. */
  connection(): pg.ClientConfig
  close(): Promise<void>
}

/** Creates databases of one kind. */
export interface DatabaseSource {
  kind: DatabaseKind
  /** Human-readable name of the database. */
  description: string
  /** Pid of its first process, if it has processes of its own. */
  pid: number | null
  create(): Promise<DatabaseSpace>
  close(): Promise<void>
}

export function openDatabaseSource(kind: DatabaseKind): Promise<DatabaseSource> {
  return kind === 'embedded' ? Promise.resolve(embeddedSource()) : postgresSource()
}

async function makeDirectories() {
  const root = mkdtempSync(join(tmpdir(), `tabwire-bench-${process.pid}-`))
  // Browsers run as another user, and need access to their profiles in it.
  chmodSync(root, 0o755)
  const dataDir = join(root, 'data')
  const temporary = join(root, 'tmp')
  await mkdir(temporary)
  return {
    dataDir,
    temporary,
    environment: { TABWIRE_DATA_DIR: dataDir, TMPDIR: temporary },
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }),
  }
}

function embeddedSource(): DatabaseSource {
  return {
    kind: 'embedded',
    pid: null,
    description: 'PGlite, embedded in the server',
    create: async () => {
      const { dataDir, temporary, environment, remove } = await makeDirectories()
      return {
        config: { kind: 'embedded' },
        dataDir,
        environment: { ...environment, DATABASE_URL: '' },
        connection: () => {
          // No other server uses this temporary folder, so the only socket in it is that of the database.
          const host = readdirSync(temporary)
            .map((name) => join(temporary, name))
            .find((directory) => existsSync(join(directory, '.s.PGSQL.5432')))
          if (!host) throw new Error('the embedded database has no socket')
          return { host, port: 5432, user: 'postgres', database: 'postgres' }
        },
        close: () => Promise.resolve(remove()),
      }
    },
    close: () => Promise.resolve(),
  }
}

async function postgresSource(): Promise<DatabaseSource> {
  const postgres = await startPostgres()
  const admin = new pg.Client({ connectionString: postgres.url })
  await admin.connect()
  const { rows } = await admin.query<{ version: string; fsync: string }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync`,
  )
  const { version, fsync } = rows[0]!
  let spaces = 0
  return {
    kind: 'postgres',
    pid: await postmasterOf(admin),
    description: `PostgreSQL ${version.split(' ')[0]}, fsync ${fsync}`,
    create: async () => {
      const name = `tabwire_bench_${process.pid}_${(spaces += 1)}`
      await admin.query(`create database ${name}`)
      const url = new URL(postgres.url)
      url.pathname = `/${name}`
      const { dataDir, environment, remove } = await makeDirectories()
      return {
        config: { kind: 'server', url: url.href },
        dataDir,
        environment: { ...environment, DATABASE_URL: url.href },
        connection: () => ({ connectionString: url.href }),
        close: async () => {
          await admin.query(`drop database ${name} with (force)`)
          remove()
        },
      }
    },
    close: async () => {
      await admin.end()
      await postgres.close()
    },
  }
}

/** Every backend is a child of the postmaster. Null if the server runs on another machine, or hides its processes. */
export async function postmasterOf(client: pg.Client): Promise<number | null> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return parentOf(rows[0]!.pid)
}
