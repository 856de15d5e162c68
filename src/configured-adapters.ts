import { join } from 'node:path'
import { openDiskArtifactStore } from './adapters/artifacts/disk.ts'
import { InProcessBus } from './adapters/bus/in-process.ts'
import type { BrowserPoolOptions } from './adapters/playwright/session/browser-pool.ts'
import type { DatabaseEnvironment } from './adapters/postgres/connection/open-database.ts'
import { isLoopback, type Config, type OidcConfig } from './config.ts'
import type { Logger } from './logger.ts'
import type { ArtifactStore } from './ports/artifacts/artifact-store.ts'
import { BrowserLaunchFailed, type BrowserPool } from './ports/browser/browser.ts'
import type { Bus } from './ports/machines/bus.ts'
import type { ChatModel } from './ports/tasks/chat-model.ts'
import type { EgressProxies } from './ports/egress/egress.ts'
import type { MachineDialer, Messenger } from './ports/machines/machine-link.ts'
import type { Store } from './ports/store/store.ts'
import { StartupFailed } from './startup-failed.ts'

/** How machines of one installation call each other. */
interface MachineLinks {
  messenger: Messenger
  dialer: MachineDialer
}

/** Opens what the configuration names. Everything here rejects with StartupFailed where people can mend what is wrong. */

/** Opens the database and brings it up to date: for the server, and for commands that need nothing else. */
export async function openStorage(
  config: Config,
  logger: Logger,
  hooks: Pick<DatabaseEnvironment, 'onLost' | 'hasSpace' | 'onStarting'> = {},
): Promise<Store> {
  const [{ openStore }, { DatabaseUnusable }] = await Promise.all([
    import('./adapters/postgres/store.ts'),
    import('./adapters/postgres/connection/open-database.ts'),
  ])
  try {
    return await openStore(config.database, { dataDir: config.dataDir, logger, ...hooks })
  } catch (error) {
    if (error instanceof DatabaseUnusable) throw new StartupFailed(error.message, { cause: error })
    throw error
  }
}

// The libraries behind NATS, a model, a bucket and a provider of tokens take time and memory: they are loaded where one is
// configured, and at the start, so that the first task or request does not wait for them.

/** `links`: the way to other machines; null: there are none. */
export async function openBus({ cluster }: Config, logger: Logger): Promise<{ bus: Bus; links: MachineLinks | null }> {
  if (!cluster) return { bus: new InProcessBus(), links: null }
  const [{ openNatsBus }, { NatsRefused }, { NatsMessenger }, { WebSocketDialer }] = await Promise.all([
    import('./adapters/bus/nats-bus.ts'),
    import('./adapters/bus/nats-connection.ts'),
    import('./adapters/bus/nats-messenger.ts'),
    import('./adapters/machines/web-socket-dialer.ts'),
  ])
  let links: MachineLinks | null = null
  try {
    const bus = await openNatsBus(cluster.nats, logger, {}, (link) => {
      links = { messenger: new NatsMessenger(link, logger), dialer: new WebSocketDialer() }
    })
    return { bus, links }
  } catch (error) {
    if (!(error instanceof NatsRefused)) throw error
    const where = cluster.nats.servers.join(', ')
    throw new StartupFailed(
      `NATS at ${where} cannot be used: ${error.message}. Set NATS_URL or TABWIRE_NATS_CREDENTIALS_FILE.`,
      { cause: error },
    )
  }
}

export async function openModel({ ai }: Config, logger: Logger): Promise<ChatModel | null> {
  if (!ai) return null
  const { createChatModel } = await import('./adapters/chat-model/ai-sdk.ts')
  return createChatModel(ai, logger)
}

export async function openVerifier(config: OidcConfig, logger: Logger) {
  const { OidcVerifier } = await import('./adapters/oidc/oidc-verifier.ts')
  return new OidcVerifier(config, logger)
}

export async function openArtifactStore(config: Config, dataDir: string, logger: Logger): Promise<ArtifactStore> {
  const { artifacts } = config
  try {
    switch (artifacts.kind) {
      case 'disk':
        return await openDiskArtifactStore(join(dataDir, 'artifacts'))
      case 's3': {
        const { openS3ArtifactStore } = await import('./adapters/artifacts/s3.ts')
        return await openS3ArtifactStore(artifacts, logger)
      }
    }
  } catch (error) {
    if (!(error instanceof Error) || !/^(Storage|Artifact)/.test(error.name)) throw error
    const where = artifacts.kind === 's3' ? `the bucket ${artifacts.bucket}` : join(dataDir, 'artifacts')
    throw new StartupFailed(`Artifacts cannot be kept in ${where}: ${error.message}.`, { cause: error })
  }
}

/**
 * The pool, and what people must be told about it. Without a sandbox a page that breaks out of the browser has the
 * rights of its user: a warning while only this machine can reach the server, and no start where others can.
 */
export async function openBrowsers(
  config: Config,
  machineId: string,
  proxies: EgressProxies,
  logger: Logger,
  hooks: Pick<BrowserPoolOptions, 'onLaunching' | 'bodyWaitMs'>,
): Promise<{ pool: BrowserPool; warnings: string[]; traceViewerDir: string }> {
  const [{ findBrowserExecutable }, { createBrowserPool }, { BrowserProxies }, { traceViewerFolder }] =
    await Promise.all([
      import('./adapters/playwright/launch/browser-executable.ts'),
      import('./adapters/playwright/session/browser-pool.ts'),
      import('./adapters/playwright/launch/browser-proxies.ts'),
      import('./adapters/playwright/library/playwright-files.ts'),
    ])
  const browserProxies = new BrowserProxies(proxies, config.egress.mode !== 'OPEN')
  try {
    const { browserSandbox: sandbox, warmBrowsers: warm } = config
    const executable = findBrowserExecutable(config.browserPath)
    const { tempDir: tempRoot, tempLimitBytes } = config
    const pool = await createBrowserPool({
      executable,
      sandbox,
      warm,
      tempRoot,
      tempLimitBytes,
      machineId,
      browserProxies,
      logger,
      ...hooks,
    })
    const problem = pool.sandboxProblem
    if (problem && !isLoopback(config.host)) {
      await pool.close()
      throw new StartupFailed(
        `${sentence(problem)} It does not start so on ${config.host}: mend that, or set TABWIRE_BROWSER_SANDBOX=off if you accept it.`,
      )
    }
    return { pool, warnings: problem ? [sentence(problem)] : [], traceViewerDir: traceViewerFolder() }
  } catch (error) {
    if (error instanceof BrowserLaunchFailed) throw new StartupFailed(sentence(error.message), { cause: error })
    throw error
  }
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`
