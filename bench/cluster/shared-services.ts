import pg from 'pg'
import { startPostgres } from '../../test/support/databases.ts'
import { freePort } from '../../test/support/free-port.ts'
import { startNats } from '../../test/support/nats-server.ts'
import { startS3 } from '../../test/support/s3-server.ts'
import { postmasterOf } from '../database-space.ts'

/** Counts since the services were started. */
export interface ServiceCounts {
  transactions: number
  rowsWritten: number
  messagesToNats: number
  messagesFromNats: number
}

/** What the machines of an installation share. */
export interface SharedServices {
  /** Of each machine, apart from what is its own. */
  readonly environment: Record<string, string>
  readonly description: string
  /** Null: PostgreSQL has no processes that can be seen from here. */
  readonly postgresPid: number | null
  readonly natsPid: number
  readonly maxConnections: number
  counts(): Promise<ServiceCounts>
  /** Connections of servers to PostgreSQL. */
  connections(): Promise<number>
  natsSubscriptions(): Promise<number>
  close(): Promise<void>
}

const COUNTS = `select xact_commit + xact_rollback as transactions, tup_inserted + tup_updated + tup_deleted as rows
  from pg_stat_database where datname = current_database()`

const SETTINGS = `select current_setting('server_version') as version, current_setting('fsync') as fsync,
  current_setting('max_connections')::int as "maxConnections"`

interface NatsState {
  version: string
  in_msgs: number
  out_msgs: number
  subscriptions: number
}

export async function startSharedServices(): Promise<SharedServices> {
  await using opening = new AsyncDisposableStack()
  const s3 = opening.adopt(await startS3(), (opened) => opened.close())
  const monitoring = `127.0.0.1:${await freePort()}`
  const nats = opening.adopt(await startNats([`http: "${monitoring}"`]), (opened) => opened.close())
  const postgres = opening.adopt(await startPostgres(), (opened) => opened.close())
  const admin = new pg.Client({ connectionString: postgres.url })
  await admin.connect()
  opening.defer(() => admin.end())
  const { rows } = await admin.query<{ version: string; fsync: string; maxConnections: number }>(SETTINGS)
  const { version, fsync, maxConnections } = rows[0]!
  const natsState = async () => (await (await fetch(`http://${monitoring}/varz`)).json()) as NatsState
  const { bucket, endpoint, credentials, prefix } = s3.config
  const description = `PostgreSQL ${version.split(' ')[0]}, fsync ${fsync}; NATS ${(await natsState()).version}`
  const postgresPid = await postmasterOf(admin)
  const opened = opening.move()
  return {
    environment: {
      DATABASE_URL: postgres.url,
      NATS_URL: `nats://${nats.address}`,
      TABWIRE_CLUSTER_SECRET: 'a-secret-of-the-machines-of-the-benchmark',
      TABWIRE_S3_BUCKET: bucket,
      TABWIRE_S3_ENDPOINT: endpoint!,
      TABWIRE_S3_ACCESS_KEY_ID: credentials!.accessKeyId,
      TABWIRE_S3_SECRET_ACCESS_KEY: credentials!.secretAccessKey,
      TABWIRE_S3_PREFIX: prefix,
    },
    description,
    postgresPid,
    natsPid: nats.pid,
    maxConnections,
    async counts() {
      const found = await admin.query<{ transactions: string; rows: string }>(COUNTS)
      const { in_msgs: messagesToNats, out_msgs: messagesFromNats } = await natsState()
      const { transactions, rows: rowsWritten } = found.rows[0]!
      return {
        transactions: Number(transactions),
        rowsWritten: Number(rowsWritten),
        messagesToNats,
        messagesFromNats,
      }
    },
    async connections() {
      const text = `select count(*)::int as count from pg_stat_activity where application_name = 'tabwire'`
      return (await admin.query<{ count: number }>(text)).rows[0]!.count
    },
    natsSubscriptions: async () => (await natsState()).subscriptions,
    close: () => opened.disposeAsync(),
  }
}
