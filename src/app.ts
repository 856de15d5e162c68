import { statfs } from 'node:fs/promises'
import { WorkerSchemas } from './adapters/json-schema/worker-schemas.ts'
import { WorkerEgress } from './adapters/egress/thread/worker-egress.ts'
import type { Config } from './config.ts'
import {
  openArtifactStore,
  openBrowsers,
  openBus,
  openModel,
  openStorage,
  openVerifier,
} from './configured-adapters.ts'
import { openDataDirectory, type DataDirectory } from './data-directory.ts'
import { AgentTasks } from './domain/tasks/agent-tasks.ts'
import { Authenticator } from './domain/access/authenticator.ts'
import { ApiKeys, FIRST_OWNER } from './domain/keys/api-keys.ts'
import { Artifacts } from './domain/artifacts/artifacts.ts'
import { Bodies } from './domain/bodies/bodies.ts'
import { LinkedBodies } from './domain/bodies/linked-bodies.ts'
import { CLIENT_MEMORY_BYTES, MemoryBudget } from './domain/kernel/memory-budget.ts'
import { BodyCipher } from './domain/bodies/body-cipher.ts'
import { FreeSpace, type SpaceMarks } from './domain/artifacts/free-space.ts'
import { KeyWatch } from './domain/keys/key-watch.ts'
import { Drain } from './domain/machines/drain.ts'
import type { LeaseTiming } from './domain/machines/lease-keeper.ts'
import type { Machines } from './domain/machines/machines.ts'
import { SharedMachines } from './domain/machines/shared-machines.ts'
import { SoleMachine } from './domain/machines/sole-machine.ts'
import type { FollowerTiming } from './domain/log/reading/log-follower.ts'
import { LogReader } from './domain/log/reading/log-reader.ts'
import type { SessionDeadlines } from './domain/session/browser-lease.ts'
import { OrphanedSessions } from './domain/local/orphaned-sessions.ts'
import { ProfileCipher } from './domain/profiles/profile-cipher.ts'
import { Profiles } from './domain/profiles/profiles.ts'
import { Readiness } from './domain/sessions/readiness.ts'
import { Retention } from './domain/sessions/retention.ts'
import { LiveViewLinks } from './domain/links/live-view-links.ts'
import { logLimitsOf } from './domain/log/writing/log-limits.ts'
import { LocalSessionDirectory } from './domain/local/local-session-directory.ts'
import { StartCipher } from './domain/starts/start-cipher.ts'
import type { SessionDirectory } from './domain/sessions/session-directory.ts'
import { LogExports } from './domain/links/log-exports.ts'
import { SignedLinks } from './domain/links/signed-links.ts'
import { SignIn } from './domain/keys/sign-in.ts'
import { TokenPrincipals } from './domain/access/token-principals.ts'
import { Uploads } from './domain/links/uploads.ts'
import { internalUrl, listen, localUrl, networkAddress } from './listen.ts'
import { createLogger, type Logger } from './logger.ts'
import { longStep } from './long-step.ts'
import { packageVersion } from './package-files.ts'
import type { Server, ServerOptions } from './server/http.ts'
import { StartupFailed } from './startup-failed.ts'

/** All of Tabwire, running in this process. */
export interface App {
  /** Where this machine reaches it: http://<host>:<port>. */
  readonly url: string
  /** The admin key: the one given, or the one kept in the data directory. */
  readonly apiKey: string
  /** A link to one of the pages, signed in: works once, for ten minutes. */
  signInUrl(page: 'dashboard' | 'graphiql'): string
  /** One line each, for people. */
  readonly describe: { database: string; browser: string; artifacts: string; dataDir: string }
  readonly warnings: readonly string[]
  /** Resolves with the reason when it cannot go on by itself (its database is lost); it must still be closed. */
  readonly closed: Promise<string>
  /**
   * No new sessions; those that are live have so many seconds left. It must still be closed, once `drained` resolves.
   * Idempotent: of several, the one that ends first counts.
   */
  drain(seconds: number): void
  /** Resolves when a drain, by whomever, is over. */
  readonly drained: Promise<void>
  /** Ends the sessions gracefully, then everything else. Idempotent. */
  close(): Promise<void>
}

export interface AppOptions {
  logger?: Logger
  /** Takes the progress of long steps, one line each, for people. */
  say?: (line: string) => void
  /** Other than the usual ones; for tests. */
  spaceMarks?: SpaceMarks
  deadlines?: Partial<SessionDeadlines> | undefined
  bodyWaitMs?: number | undefined
  openBrowsers?: typeof openBrowsers | undefined
  followerTiming?: FollowerTiming | undefined
  leaseTiming?: LeaseTiming | undefined
}

/** Of the ten seconds that a graceful shutdown may take, sessions may use these to end and to commit their logs, … */
const SESSIONS_CLOSE_MS = 6000
/** … these those who follow them, to hear the end, … */
const FOLLOWERS_MS = 1000
/** … and these the connections. */
const SERVER_CLOSE_MS = 1000

/** Which stores keep what they are given on the disk of the data directory, whose free space is watched. */
const IS_HERE: Record<(Config['database'] | Config['artifacts'])['kind'], boolean> = {
  embedded: true,
  server: false,
  disk: true,
  s3: false,
}

/**
 * Puts Tabwire together and starts it. Rejects with StartupFailed, whose message is one line for people, when something
 * outside is not as it must be; whatever had been opened by then is closed.
 */
export async function startApp(config: Config, options: AppOptions = {}): Promise<App> {
  const { logger = createLogger(config.logLevel), say = () => {} } = options
  await using opening = new AsyncDisposableStack()

  const directory = await openDataDirectory(config.dataDir, config.apiKey, config)
  opening.defer(() => directory.close())

  const { promise: closed, resolve: fail } = Promise.withResolvers<string>()
  const storeLost = ({ message }: Error) =>
    fail(`The embedded database in ${directory.path} failed and cannot be opened again: ${message}.`)
  const { machineId } = directory
  const space = opening.adopt(new FreeSpace(() => freeBytesOf(directory.path), logger, options.spaceMarks), (opened) =>
    opened.close(),
  )
  await space.look()
  const storesHere = IS_HERE[config.database.kind] || IS_HERE[config.artifacts.kind]
  const proxies = opening.adopt(new WorkerEgress(logger), (opened) => opened.close())
  // Side by side: the very first start of the embedded database takes seconds, and so may the first browser's. What code
  // the rest needs is loaded while they are waited for.
  const atWork = { storage: Promise.withResolvers<void>(), browser: Promise.withResolvers<void>() }
  const storageOpens = openStorage(config, logger, {
    onLost: storeLost,
    hasSpace: (isEnd) => space.hasSpaceForLogs(isEnd),
    onStarting: atWork.storage.resolve,
  })
  const opensStorage = Promise.allSettled([longStep('opening the database', storageOpens, say)])
  await Promise.race([atWork.storage.promise, opensStorage])
  const browsersOpen = (options.openBrowsers ?? openBrowsers)(config, machineId, proxies, logger, {
    onLaunching: atWork.browser.resolve,
    bodyWaitMs: options.bodyWaitMs,
  })
  const opensBrowsers = Promise.allSettled([longStep('starting a browser', browsersOpen, say)])
  await Promise.race([atWork.browser.promise, opensBrowsers])
  const { createServer } = await import('./server/http.ts')
  const [[storage], [browsing]] = await Promise.all([opensStorage, opensBrowsers])
  const store = storage.status === 'fulfilled' ? opening.adopt(storage.value, (opened) => opened.close()) : null
  const browsers =
    browsing.status === 'fulfilled' ? opening.adopt(browsing.value, (opened) => opened.pool.close()) : null
  if (!store) throw (storage as PromiseRejectedResult).reason
  if (!browsers) throw (browsing as PromiseRejectedResult).reason
  const { bus, links: machineLinks } = await openBus(config, logger)
  opening.defer(() => bus.close())

  // A database of its own is nobody else's, so nobody else could end what this machine leaves behind.
  const version = packageVersion()
  const opensMachines =
    config.database.kind === 'embedded'
      ? new SoleMachine(machineId, version)
      : SharedMachines.begin({
          store,
          bus,
          logger,
          machineId,
          version,
          slots: config.maxSessions,
          partitionSeconds: config.cluster?.partitionSeconds ?? null,
          timing: options.leaseTiming,
          onReplaced: () =>
            fail(`Another server runs with the machine id of ${directory.path}: it must not be copied.`),
        })
  const ownMachine = await opensMachines
  const machines: Machines = opening.adopt(ownMachine, (opened) => opened.close())

  const { maxSessions, maxQueued, egress, captureBodies, redact } = config
  const profiles = new Profiles(store, new ProfileCipher(directory.profileKeys))
  const requireSpace = async () => {
    if (storesHere) await space.requireSpace()
  }
  const bytes = opening.adopt(await openArtifactStore(config, directory.path, logger), (opened) => opened.close())
  const freeBytesLeft = IS_HERE[config.artifacts.kind] ? () => space.spaceForFiles() : undefined
  const artifacts = opening.adopt(
    new Artifacts(store, bytes, config.artifactQuotaBytes, logger, freeBytesLeft),
    (opened) => opened.close(),
  )
  const { artifactQuotaBytes: quotaBytes } = config
  const cipher = new BodyCipher(config.bodyKeys ?? [])
  const bodies = opening.adopt(
    new Bodies({ store, bytes, cipher, quotaBytes, logger, free: freeBytesLeft }),
    (opened) => opened.close(),
  )
  const tasks = new AgentTasks(store, await openModel(config, logger), new WorkerSchemas(), logger)
  const har = { store, readBody: bodies.bytesOf.bind(bodies) }
  const local = new LocalSessionDirectory({
    store,
    browsers: browsers.pool,
    artifacts,
    bodies,
    tasks,
    profiles,
    bus,
    logger,
    machine: machines,
    maxSessions,
    maxQueued,
    limits: logLimitsOf(config),
    har,
    egress,
    captureBodies,
    redact,
    requireSpace,
    deadlines: options.deadlines,
    startCipher: config.cluster && new StartCipher(directory.profileKeys),
  })
  opening.defer(() => local.close(SESSIONS_CLOSE_MS))
  machines.serve(local)
  let sessions: SessionDirectory = local
  let machineConnections: ServerOptions['machineConnections'] = null
  const clientMemory = new MemoryBudget(CLIENT_MEMORY_BYTES)
  if (config.cluster && machineLinks && ownMachine instanceof SharedMachines) {
    const { openClusterCalls } = await import('./cluster-calls.ts')
    const shared = { local, machines: ownMachine, machineId, store, bus, artifacts, clientMemory, logger }
    const calls = openClusterCalls({ config: config.cluster, ...machineLinks, ...shared })
    opening.defer(() => calls.close())
    sessions = calls.sessions
    machineConnections = calls.connections
  }
  const orphaned = opening.adopt(new OrphanedSessions(store, logger), (opened) => opened.close())
  const orphans = await endOrphans(orphaned, directory, config.database.kind === 'embedded')
  if (orphans > 0) logger.warn({ orphans }, 'sessions that the last run left behind end as MACHINE_LOST')

  const drain = opening.adopt(
    new Drain(machineId, config.drainSeconds, { sessions: local, machines, browsers: browsers.pool }, logger),
    (opened) => opened.close(),
  )
  const keyWatch = opening.adopt(new KeyWatch(store, logger), (opened) => opened.close())
  const apiKeys = new ApiKeys(store, logger, keyWatch)
  if (!(await apiKeys.ensureFirstKey(machineId, directory.adminKey.secret))) {
    const { file } = directory.adminKey
    throw new StartupFailed(
      file
        ? `The admin key in ${file} has been revoked: delete the file to have a new one made.`
        : 'The admin key in TABWIRE_API_KEY has been revoked: set another one.',
    )
  }
  const signIn = new SignIn(apiKeys, directory.signingKeys)
  const days = { sessions: config.retentionDays, bodies: config.bodyRetentionDays }
  const retention = opening.adopt(new Retention(store, { artifacts, bodies }, days, logger), (opened) => opened.close())
  retention.start()

  let baseUrl = config.publicUrl
  const links = new SignedLinks(directory.signingKeys, () => baseUrl ?? localUrl(config.host, config.port), keyWatch)
  const liveViewLinks = new LiveViewLinks(links, sessions)
  const verifier = config.oidc && opening.adopt(await openVerifier(config.oidc, logger), (opened) => opened.close())
  const tokens = verifier && new TokenPrincipals(verifier)
  const readiness = new Readiness([
    { silence: 'the database does not answer', problem: () => store.ping().then(() => null) },
    {
      silence: UNUSABLE_ARTIFACTS,
      problem: () =>
        artifacts.ping().then(
          () => null,
          () => UNUSABLE_ARTIFACTS,
        ),
    },
    { silence: 'free disk space is unknown', problem: () => (storesHere ? space.problem : null) },
    { silence: 'the server is draining', problem: () => drain.problem },
    { silence: 'the browser does not answer', problem: () => browsers.pool.notReady() },
    { silence: 'NATS does not answer', problem: () => bus.problem, isMinor: true },
  ])
  // The logs of other machines' sessions are in the database.
  const logs = new LogReader(store, bus, (sessionId) => local.handle(sessionId), options.followerTiming)
  const server = createServer({
    config,
    sessions,
    machines,
    drain,
    artifacts,
    bodies,
    linkedBodies: new LinkedBodies(store, bodies),
    uploads: new Uploads(store, sessions, artifacts, links, machineId, logger),
    exports: new LogExports(har, links, (sessionId) => local.handle(sessionId)),
    links,
    liveViewLinks,
    callers: new Authenticator(apiKeys, liveViewLinks, tokens),
    logs,
    apiKeys,
    tasks,
    profiles,
    signIn,
    readiness: () => readiness.ask(),
    traceViewerDir: browsers.traceViewerDir,
    machineConnections,
    clientMemory,
    logger,
  })
  const port = await listen(server, config)
  const url = localUrl(config.host, port)
  machines.listensAt(
    config.cluster ? (config.cluster.internalUrl ?? internalUrl(config.host, port)) : networkAddress(config.host, port),
  )
  baseUrl ??= url
  opening.defer(() => server.close(SERVER_CLOSE_MS))
  local.claimStarts()
  await directory.announce(url)

  const resources = opening.move()
  let closing: Promise<void> | null = null
  return {
    url,
    apiKey: directory.adminKey.secret,
    signInUrl: (page) =>
      `${config.publicUrl ?? url}/${page === 'graphiql' ? page : ''}#code=${signIn.issueCode(FIRST_OWNER)}`,
    describe: {
      database: store.describe(),
      browser: browsers.pool.describe(),
      artifacts: bytes.describe(),
      dataDir: directory.path,
    },
    warnings: browsers.warnings,
    closed,
    drain: (seconds) => void drain.begin(seconds),
    drained: drain.over,
    close: () => (closing ??= closeAll({ server, sessions: local, machines, logs }, resources)),
  }
}

/** Returns how many sessions there were. */
async function endOrphans(
  orphaned: OrphanedSessions,
  { machineId, copiedFrom }: DataDirectory,
  isOwnDatabase: boolean,
): Promise<number> {
  const own = await orphaned.end(machineId)
  if (!copiedFrom) return own.count
  // A database in the directory was copied with it; in one that is shared, what a server that lives has is its own.
  const isLeft = isOwnDatabase || !copiedFrom.isAlive
  const left = isLeft ? await orphaned.end(copiedFrom.machineId) : { count: 0, later: null }
  if (!left.later) await copiedFrom.release()
  // Else it is released with the directory.
  return own.count + left.count
}

/** Brings the database up to date and closes it again. */
export async function migrateDatabase(config: Config, logger: Logger): Promise<void> {
  const store = await openStorage(config, logger)
  await store.close()
}

interface Closed {
  server: Server
  sessions: LocalSessionDirectory
  machines: Machines
  logs: LogReader
}

/**
 * Sessions first, while those who watch are still connected and see the end; then the sockets; then what lies below.
 * The server takes no new work meanwhile because the directory refuses to start anything.
 */
async function closeAll({ server, sessions, machines, logs }: Closed, resources: AsyncDisposableStack): Promise<void> {
  machines.drain()
  try {
    await sessions.close(SESSIONS_CLOSE_MS)
    await logs.drain(FOLLOWERS_MS)
    await server.close(SERVER_CLOSE_MS)
  } finally {
    await resources.disposeAsync()
  }
}

const UNUSABLE_ARTIFACTS = 'the artifact store cannot be used'

async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
