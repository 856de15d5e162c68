import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../test/support/databases.ts'
import { startDatabaseNetwork } from './database-network.ts'
import { FaultyServer } from './faulty-server.ts'
import { startHostileSite } from './hostile-site.ts'
import { Stage, type StageDatabase, type StageKind } from './stage.ts'

/** Enough for the embedded database and some floods, yet quickly filled by a ballast file. */
const SMALL_DISK = '700m'

const ENVIRONMENT = { TABWIRE_WARM_BROWSERS: '0', TABWIRE_LOG_LEVEL: 'fatal' }

/** A running server on one kind of database; closing it closes everything that it needed. */
export async function openStage(kind: StageKind, stack: AsyncDisposableStack): Promise<Stage> {
  const site = stack.adopt(await startHostileSite(), (started) => started.close())
  const folder = mkdtempSync(join(tmpdir(), 'tabwire-faults-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const dataDir = join(folder, 'data')
  const database = kind === 'postgres' ? await openDatabase(stack) : null
  const smallDisk = kind === 'embedded' && mountSmallDisk(dataDir, stack) ? dataDir : null
  const environment = { ...ENVIRONMENT, ...(database ? { DATABASE_URL: database.url } : {}) }
  const server = stack.adopt(new FaultyServer(dataDir, environment), (started) => started.close())
  await server.start()
  return stack.adopt(new Stage(kind, server, site, database, smallDisk), (opened) => opened.close())
}

async function openDatabase(stack: AsyncDisposableStack): Promise<StageDatabase & { url: string }> {
  const postgres = stack.adopt(await startPostgres(), (started) => started.close())
  const direct = new URL(postgres.url)
  const network = stack.adopt(await startDatabaseNetwork(direct.hostname, Number(direct.port)), (started) =>
    started.close(),
  )
  const url = new URL(postgres.url)
  url.port = String(network.port)
  const administer = async (...statements: string[]) => {
    const client = new pg.Client({ connectionString: postgres.url, options: '-c default_transaction_read_only=off' })
    await client.connect()
    try {
      for (const statement of statements) await client.query(statement)
    } finally {
      await client.end()
    }
  }
  return {
    url: url.href,
    network,
    setReadOnly: (isReadOnly) =>
      administer(
        `alter system set default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`,
        'select pg_reload_conf()',
      ),
    endBackends: () =>
      administer(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tabwire'`),
  }
}

/** Whether a file system of a known size has been mounted, which needs root. */
function mountSmallDisk(at: string, stack: AsyncDisposableStack): boolean {
  mkdirSync(at, { recursive: true, mode: 0o700 })
  const options = ['-t', 'tmpfs', '-o', `size=${SMALL_DISK},mode=0700`, 'tmpfs', at]
  if (spawnSync('mount', options).status !== 0) return false
  stack.defer(() => void spawnSync('umount', ['--lazy', at]))
  return true
}
