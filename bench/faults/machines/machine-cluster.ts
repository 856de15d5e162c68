import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startCuttableProxy, type CuttableProxy } from '../../../test/support/cuttable-proxy.ts'
import { startPostgres, type TestPostgres } from '../../../test/support/databases.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { startNats, type TestNats } from '../../../test/support/nats-server.ts'
import { startS3 } from '../../../test/support/s3-server.ts'
import { FaultyServer } from '../faulty-server.ts'
import { startHostileSite, type HostileSite } from '../hostile-site.ts'

const COUNT = 3
const API_KEY = 'key-of-the-machines-of-the-faults'

/** Where a machine reaches PostgreSQL and NATS, and where the others reach it. */
export type Link = 'database' | 'nats' | 'others'

/** One machine, with links of its own that can be cut. */
export interface Machine {
  readonly server: FaultyServer
  readonly links: Readonly<Record<Link, CuttableProxy>>
}

/** A change of the machine that owns a session. */
interface OwnerChange {
  sessionId: string
  status: string
  from: string
  to: string
}

/** A service that can be stopped and started again, in any order and number. */
interface Service {
  stop(): Promise<void>
  start(): Promise<void>
}

/** Three machines with their PostgreSQL, NATS and S3 server. */
export interface MachineCluster {
  readonly site: HostileSite
  readonly machines: readonly Machine[]
  readonly database: Service
  readonly nats: Service & { signal(signal: NodeJS.Signals): void }
  /** Each since the cluster was opened, except that of a session that nobody had claimed. */
  ownerChanges(): Promise<OwnerChange[]>
}

/** Written by the database itself, so that no moment is missed. */
const RECORD_OWNERS = `
  create table owner_changes (session_id uuid, status text, from_machine text, to_machine text);
  create function record_owner() returns trigger language plpgsql as $$ begin
    insert into owner_changes values (new.id, old.status, old.machine_id, new.machine_id);
    return null;
  end $$;
  create trigger record_owner after update of machine_id, machine_epoch on sessions for each row
    when ((old.machine_id, old.machine_epoch) is distinct from (new.machine_id, new.machine_epoch) and old.machine_id <> '')
    execute function record_owner()`

const OWNERS = `select session_id as "sessionId", status, from_machine as "from", to_machine as "to" from owner_changes`

export async function openCluster(stack: AsyncDisposableStack): Promise<MachineCluster> {
  const site = stack.adopt(await startHostileSite(), (started) => started.close())
  const s3 = stack.adopt(await startS3(), (started) => started.close())
  const nats = stack.adopt(await startNats(), (started) => started.close())
  const postgres = stack.adopt(await startPostgres(), (started) => started.close())
  const { bucket, endpoint, credentials, prefix } = s3.config
  const shared = {
    TABWIRE_API_KEY: API_KEY,
    TABWIRE_CLUSTER_SECRET: 'a-secret-of-the-machines-of-the-faults',
    TABWIRE_S3_BUCKET: bucket,
    TABWIRE_S3_ENDPOINT: endpoint!,
    TABWIRE_S3_ACCESS_KEY_ID: credentials!.accessKeyId,
    TABWIRE_S3_SECRET_ACCESS_KEY: credentials!.secretAccessKey,
    TABWIRE_S3_PREFIX: prefix,
    TABWIRE_LOG_LEVEL: 'fatal',
  }
  const machines: Machine[] = []
  for (let number = 0; number < COUNT; number += 1) {
    machines.push(await prepareMachine(stack, shared, postgres, nats))
  }
  // The first one migrates the database.
  await machines[0]!.server.start()
  await ask(postgres, RECORD_OWNERS)
  await Promise.all(machines.slice(1).map(({ server }) => server.start()))
  return {
    site,
    machines,
    database: switchable(postgres),
    nats: { ...switchable(nats), signal: (signal) => void process.kill(nats.pid, signal) },
    ownerChanges: () => ask<OwnerChange>(postgres, OWNERS),
  }
}

async function prepareMachine(
  stack: AsyncDisposableStack,
  shared: Record<string, string>,
  postgres: TestPostgres,
  nats: TestNats,
): Promise<Machine> {
  const linkTo = async (address: string) =>
    stack.adopt(await startCuttableProxy(`http://${address}`), (started) => started.close())
  const port = await freePort()
  const database = new URL(postgres.url)
  const links = {
    database: await linkTo(database.host),
    nats: await linkTo(nats.address),
    others: await linkTo(`127.0.0.1:${port}`),
  }
  database.host = new URL(links.database.url).host
  const dataDir = mkdtempSync(join(tmpdir(), 'tabwire-faults-'))
  stack.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const environment = {
    ...shared,
    PORT: String(port),
    DATABASE_URL: database.href,
    NATS_URL: links.nats.url.replace('http:', 'nats:'),
    TABWIRE_INTERNAL_URL: links.others.url,
  }
  const server = stack.adopt(new FaultyServer(dataDir, environment, 'bundle'), (opened) => opened.close())
  return { server, links }
}

function switchable(service: Service): Service {
  let isRunning = true
  return {
    async stop() {
      isRunning = false
      await service.stop()
    },
    async start() {
      if (!isRunning) await service.start()
      isRunning = true
    },
  }
}

async function ask<T extends pg.QueryResultRow>({ url }: TestPostgres, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<T>(text)).rows
  } finally {
    await client.end()
  }
}
