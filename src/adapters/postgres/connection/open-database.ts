import pg from 'pg'
import { Deadline } from '../../../async/deadline.ts'
import type { DatabaseConfig } from '../../../config.ts'
import type { Logger } from '../../../logger.ts'
import { DatabaseWatch, type WatchTiming } from './database-watch.ts'
import { EmbeddedDatabase, type EmbeddedEvents, type RestartTiming } from '../embedded/embedded-database.ts'
import { startMaintenance } from '../embedded/embedded-maintenance.ts'
import { OwnedClient, type ConnectionEvents } from './owned-client.ts'

/** The oldest supported server: older ones will soon get no more fixes, and are not tested. */
const OLDEST_VERSION = 150_000

/**
 * How long a running statement may still take at shutdown of the embedded database. It cannot be canceled, a VACUUM may
 * take longer than a graceful shutdown, and the next one does the rest.
 */
const DRAIN_DEADLINE_MS = 2_000

/** How long a server may take to close its connections. */
const CLOSE_DEADLINE_MS = 2_000

/** A lease lasts several times as long. */
const LEASE_DEADLINE_MS = 3_000

/** The embedded database has one connection, and statements wait while a maintenance statement runs. */
const TURN_DEADLINE_MS = 30_000

/** Why the database cannot be used: one line for people, without the password in its URL. */
export class DatabaseUnusable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'DatabaseUnusable'
  }
}

export interface DatabaseEnvironment {
  /** Absolute path; the embedded database is stored in `<dataDir>/database`. The caller holds its lock. */
  dataDir: string
  logger: Logger
  /** The embedded database cannot be restarted: nothing can be stored until the next start. Called at most once. */
  onLost?: (error: Error) => void
  /**
   * False while the rest of the disk is reserved for the embedded database itself, and for the final entries of logs.
   */
  hasSpace?: (isEnd: boolean) => boolean | Promise<boolean>
  /** Waiting for the database: a starting thread, or a server that does not respond yet. */
  onStarting?: () => void
  /** Overrides of the defaults; for tests. */
  watchTiming?: WatchTiming
  restartTiming?: RestartTiming
}

export interface Database {
  pool: pg.Pool
  watch: DatabaseWatch
  /**
   * For the leases of machines. Of a server it is a connection apart, opened when first used, which neither waits for
   * others nor hangs for long: a lease that is renewed too late is lost.
   */
  leasePool: pg.Pool
  /** A connection outside the pool, without its timeouts; the caller connects and ends it. */
  createClient(): pg.Client
  /** One line for people: the database and its location. Contains no password. */
  describe(): string
  close(): Promise<void>
}

/** Opens the configured server, or else the embedded database. Rejects with DatabaseUnusable. */
export async function openDatabase(config: DatabaseConfig, environment: DatabaseEnvironment): Promise<Database> {
  return config.kind === 'server' ? openServer(config.url, environment) : openEmbedded(environment)
}

async function openServer(url: string, { logger, onStarting, watchTiming }: DatabaseEnvironment): Promise<Database> {
  const where = describeUrl(url)
  const connection = {
    connectionString: url,
    application_name: 'tabwire',
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
  }
  const statements = new StatementCount(logger)
  const pool = new pg.Pool({
    ...connection,
    ...ownedClients(statements),
    max: 12,
    idleTimeoutMillis: 60_000,
    // The server times out first, so that its error says what happened; the client's own timeout is for a network that
    // drops packets.
    statement_timeout: 20_000,
    query_timeout: 30_000,
    idle_in_transaction_session_timeout: 30_000,
  })
  const leasePool = new pg.Pool({
    ...connection,
    // Apart from those that the watch counts: that these end says nothing about the others.
    ...ownedClients(new StatementCount(logger)),
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: LEASE_DEADLINE_MS,
    statement_timeout: LEASE_DEADLINE_MS,
    query_timeout: LEASE_DEADLINE_MS,
  })
  watchIdleClients(pool, logger)
  watchIdleClients(leasePool, logger)
  onStarting?.()
  const version = await readVersion(pool).catch(async (error: unknown) => {
    await pool.end()
    throw new DatabaseUnusable(`The database at ${where} cannot be reached: ${reasonOf(error)}.`, error)
  })
  if (version.number < OLDEST_VERSION) {
    await pool.end()
    throw new DatabaseUnusable(
      `The database at ${where} is PostgreSQL ${version.text}; Tabwire needs PostgreSQL 15 or newer.`,
    )
  }
  const nothingToRestart = {
    pool,
    statementsEnded: () => statements.ended,
    downBecause: () => null,
    isMaintained: () => false,
    isInPlace: () => Promise.resolve(true),
    sparesWrites: () => false,
    // The timeouts of its connections end hanging calls.
    onDead: () => {},
  }
  const watch = new DatabaseWatch(nothingToRestart, logger, watchTiming)
  return {
    pool,
    watch,
    leasePool,
    createClient: () => new pg.Client(connection),
    describe: () => `PostgreSQL ${version.text} at ${where}`,
    close: async () => {
      watch.close()
      const ended = Promise.all([pool.end(), leasePool.end()])
      // A hanging server does not acknowledge the end of connections; open ones end with the process.
      await Deadline.isMet(ended, CLOSE_DEADLINE_MS)
    },
  }
}

async function openEmbedded(environment: DatabaseEnvironment): Promise<Database> {
  const { dataDir, logger, onLost, hasSpace, onStarting, watchTiming, restartTiming } = environment
  const events: EmbeddedEvents = {
    starting: () => onStarting?.(),
    down: (reason) => logger.error({ reason }, 'the embedded database failed and is being restarted'),
    up: () => logger.warn('the embedded database has been restarted; everything that was committed is there'),
    lost: (error) => {
      logger.fatal({ err: error }, 'the embedded database cannot be restarted')
      onLost?.(error)
    },
  }
  const embedded = await EmbeddedDatabase.start(dataDir, events, restartTiming).catch((error: unknown) => {
    throw new DatabaseUnusable(`The embedded database in ${dataDir} cannot be opened: ${reasonOf(error)}.`, error)
  })
  const connection = {
    host: embedded.socketDirectory,
    port: embedded.port,
    user: 'postgres',
    database: 'postgres',
    application_name: 'tabwire',
  }
  const statements = new StatementCount(logger)
  const pool = new pg.Pool({
    ...connection,
    ...ownedClients(statements),
    // One connection, since there is one backend behind the socket, and all connections would share its prepared
    // statements: measured, the second connection's "append" is rejected because the first has prepared one. Nothing is
    // lost, since the backend executes one statement at a time anyway.
    max: 1,
    idleTimeoutMillis: 0,
    // For the wait for the one connection, and for a new one. Time limits of statements are up to the watch.
    connectionTimeoutMillis: TURN_DEADLINE_MS,
    // A connection after an error finds the backend as the last one left it. The pool waits for the promise, whatever
    // its types say.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect: async (client) => {
      await client.query('discard all')
    },
  })
  watchIdleClients(pool, logger)
  try {
    const version = await readVersion(pool)
    const sparesWrites = () => hasSpace?.(false) === false
    const maintenance = startMaintenance(pool, logger, () => embedded.downBecause === null && !sparesWrites())
    const watched = {
      pool,
      statementsEnded: () => statements.ended,
      downBecause: () => embedded.downBecause,
      isMaintained: () => maintenance.isAtIt,
      isInPlace: () => embedded.isInPlace(),
      sparesWrites,
      onDead: (reason: string) => embedded.restart(reason),
    }
    const watch = new DatabaseWatch(watched, logger, watchTiming)
    return {
      pool,
      watch,
      leasePool: pool,
      createClient: () => new pg.Client(connection),
      describe: () => `embedded PostgreSQL ${version.text} (PGlite) in ${embedded.directory}`,
      close: async () => {
        watch.close()
        const drained = maintenance.close().then(() => pool.end())
        const isDrained = await Deadline.isMet(drained, DRAIN_DEADLINE_MS)
        if (!isDrained) logger.warn('a statement of the embedded database took too long to end and was aborted')
        await (isDrained ? embedded.close() : embedded.kill())
        await drained
      },
    }
  } catch (error) {
    await pool.end()
    await embedded.close()
    throw new DatabaseUnusable(`The embedded database in ${dataDir} does not answer: ${reasonOf(error)}.`, error)
  }
}

/** Counted when each statement completes: a listener of the pool would run while a connection is being released. */
class StatementCount implements ConnectionEvents {
  ended = 0
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  statementEnded(): void {
    this.ended += 1
  }

  failed(error: unknown): void {
    this.#logger.error({ err: error }, 'a fault in a listener of a database connection: the connection ends')
  }
}

/** The pool passes all of its options to each client. */
const ownedClients = (events: ConnectionEvents): pg.PoolConfig & { events: ConnectionEvents } => ({
  Client: OwnedClient as unknown as new (config?: string | pg.ClientConfig) => pg.Client,
  events,
})

/** Without a listener, a server that goes down would end the process through its idle connections. */
function watchIdleClients(pool: pg.Pool, logger: Logger): void {
  // Only its message: the pool attaches the whole connection to the error, with every statement it has prepared.
  pool.on('error', ({ message }) => {
    if (!pool.ending) logger.warn({ reason: message }, 'an idle database connection was lost')
  })
}

async function readVersion(pool: pg.Pool): Promise<{ number: number; text: string }> {
  const { rows } = await pool.query<{ number: number; text: string }>(
    `select current_setting('server_version_num')::int as number,
            split_part(current_setting('server_version'), ' ', 1) as text`,
  )
  return rows[0]!
}

/** Host, port and name of the database; never its user's password. */
function describeUrl(url: string): string {
  const { hostname, port, pathname, searchParams } = new URL(url)
  const host = hostname || searchParams.get('host') || 'localhost'
  return `${host}${port ? `:${port}` : ''}${decodeURIComponent(pathname)}`
}

function reasonOf(error: unknown): string {
  // A name with several addresses fails with one error for each, and its own message is empty.
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const text = first instanceof Error ? first.message || first.name : String(first)
  return text.replace(/\s+/g, ' ').replace(/\.$/, '')
}
