import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { AppOptions } from '../../src/app.ts'
import { loadConfig, type Config } from '../../src/config.ts'
import { startPostgres, type TestPostgres } from './databases.ts'
import { startNats, type TestNats } from './nats-server.ts'
import { startS3, type TestS3 } from './s3-server.ts'
import { startTestApp, type TestApp } from './start-app.ts'

/** What the machines of a cluster share, and those of them that run in this process. */
export interface TestCluster {
  readonly postgres: TestPostgres
  readonly nats: TestNats
  readonly s3: TestS3
  /** The environment of one more machine. */
  readonly environment: Record<string, string>
  /** One more machine, in this process; closed with the cluster. */
  start(overrides?: Partial<Config>, options?: AppOptions): Promise<TestApp>
  /** Sessions start on that machine alone, by its id, or null: on any. Its claims are all that the database accepts. */
  startOnly(machineId: string | null): Promise<void>
  close(): Promise<void>
}

/** The claim of any other machine does as if somebody had been faster. */
const ONLY = `
  create table if not exists only_machine (id text);
  create or replace function accept_claim() returns trigger language plpgsql as $$ begin
    if new.machine_id is not null and exists (select from only_machine where id <> new.machine_id) then return null; end if;
    return new;
  end $$;
  create or replace trigger accept_claim before update on session_starts for each row execute function accept_claim()`

/** The id of a machine in this process. */
export const machineIdOf = async ({ dataDir }: TestApp) => (await readFile(join(dataDir, 'machine-id'), 'utf8')).trim()

/** PostgreSQL, NATS and an S3 server, and no machine yet. */
export async function startCluster(): Promise<TestCluster> {
  await using opening = new AsyncDisposableStack()
  const s3 = opening.adopt(await startS3(), (opened) => opened.close())
  const nats = opening.adopt(await startNats(), (opened) => opened.close())
  const postgres = opening.adopt(await startPostgres(), (opened) => opened.close())
  const { bucket, endpoint, credentials, prefix } = s3.config
  const environment = {
    DATABASE_URL: postgres.url,
    NATS_URL: `nats://${nats.address}`,
    TABWIRE_CLUSTER_SECRET: 'a-secret-of-a-cluster-of-the-tests',
    TABWIRE_S3_BUCKET: bucket,
    TABWIRE_S3_ENDPOINT: endpoint!,
    TABWIRE_S3_ACCESS_KEY_ID: credentials!.accessKeyId,
    TABWIRE_S3_SECRET_ACCESS_KEY: credentials!.secretAccessKey,
    TABWIRE_S3_PREFIX: prefix,
    // Of a machine whose port is not known yet; those in this process have their own.
    TABWIRE_INTERNAL_URL: 'http://127.0.0.1:1',
  }
  const opened = opening.move()
  return {
    postgres,
    nats,
    s3,
    environment,
    async start(overrides = {}, options = {}) {
      const config = loadConfig({ ...environment, PORT: '0', TABWIRE_WARM_BROWSERS: '0' })
      const shared = { ...config.cluster!, internalUrl: null }
      const logLevel = (process.env['TEST_LOG_LEVEL'] ?? 'silent') as Config['logLevel']
      const dataDir = await mkdtemp(join(tmpdir(), 'tabwire-test-'))
      opened.defer(() => rm(dataDir, { recursive: true, force: true }))
      const app = await startTestApp(
        { ...config, cluster: shared, logLevel, dataDir, ...overrides },
        undefined,
        options,
      )
      opened.defer(() => app.close())
      return app
    },
    async startOnly(machineId) {
      const client = new pg.Client({ connectionString: postgres.url })
      await client.connect()
      try {
        await client.query(ONLY)
        await client.query('delete from only_machine')
        if (machineId !== null) await client.query('insert into only_machine values ($1)', [machineId])
      } finally {
        await client.end()
      }
    },
    close: () => opened.disposeAsync(),
  }
}
