import { isDeepStrictEqual } from 'node:util'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright'
import type { Logger } from '../../../logger.ts'
import { BrowserLaunchFailed, type BrowserOptions } from '../../../ports/browser/browser.ts'
import { DEFAULT_CAPTURE } from '../../../ports/browser/capture.ts'
import { NO_EMULATION, type Emulation } from '../../../ports/browser/emulation.ts'
import type { EgressProxies, EgressPolicy, EgressProxy } from '../../../ports/egress/egress.ts'
import { ownedBy, type FaultOwner } from '../../../fault-owner.ts'
import { BrowserProcess, type LaunchMode } from './browser-process.ts'
import type { BrowsersDirectory } from './browsers-directory.ts'
import { Deadline } from '../../../async/deadline.ts'
import type { BrowserPipes } from '../cdp/pipe/browser-pipes.ts'
import { TargetRegistry } from '../cdp/targets/target-registry.ts'

const LAUNCH_DEADLINE_MS = 30_000
/** A browser's pipe breaks a moment before its exit is reported, which has the more useful message. */
const EXIT_REPORT_MS = 200

const EVERYTHING: EgressPolicy = { mode: 'OPEN', allow: [], allowedHosts: null, upstream: null }

export const DEFAULT_OPTIONS: BrowserOptions = {
  viewport: { width: 1920, height: 1080 },
  userAgent: null,
  locale: null,
  timezone: null,
  extraHeaders: null,
  emulation: NO_EMULATION,
  httpCredentials: null,
  offline: false,
  capture: DEFAULT_CAPTURE,
  storageState: null,
  record: [],
  egress: EVERYTHING,
}

/**
 * Whether a warm browser can be assigned to a session with these options, with its existing context. A video begins
 * with its context; other recordings can begin in an existing one.
 */
export function fitsWarm(options: BrowserOptions): boolean {
  const decidedLater = { record: [], egress: DEFAULT_OPTIONS.egress, capture: DEFAULT_OPTIONS.capture }
  return !options.record.includes('VIDEO') && isDeepStrictEqual({ ...options, ...decidedLater }, DEFAULT_OPTIONS)
}

/** The fault owner of one browser; reports to the browser's own owner at that time. */
class BrowserFaults implements FaultOwner {
  readonly #logger: Logger
  readonly #first = Promise.withResolvers<never>()
  #fault: { error: unknown } | null = null
  #onFault: (error: unknown) => void = () => undefined

  constructor(logger: Logger) {
    this.#logger = logger
    // Callers that await it handle the rejection.
    this.#first.promise.catch(() => {})
  }

  /** Rejects with the first fault. */
  get first(): Promise<never> {
    return this.#first.promise
  }

  /** Sets the receiver of faults; called at once if there was one already. */
  reportTo(onFault: (error: unknown) => void): void {
    this.#onFault = onFault
    if (this.#fault) onFault(this.#fault.error)
  }

  fail(error: unknown): void {
    this.#logger.error({ err: error }, 'error in work of a browser; its session ends')
    this.#fault ??= { error }
    this.#first.reject(error)
    this.#onFault(error)
  }
}

/**
 * A running browser with a context and a blank page, created with the default options. It belongs to no session yet.
 */
export interface OpenBrowser {
  faults: BrowserFaults
  process: BrowserProcess
  browser: Browser
  targets: TargetRegistry
  context: BrowserContext
  page: Page
}

/**
 * With `proxies`, the browser reaches the network only through one of them. Rejects with BrowserLaunchFailed, or with
 * the signal's reason; either way no process is left. `onLaunched`: the process was started, and is waited for.
 */
export async function openBrowser(
  mode: LaunchMode,
  parent: BrowsersDirectory,
  pipes: BrowserPipes,
  proxies: EgressProxies | null,
  logger: Logger,
  signal: AbortSignal,
  onLaunched?: () => void,
): Promise<OpenBrowser> {
  signal.throwIfAborted()
  const faults = new BrowserFaults(logger)
  return ownedBy(faults, () => openOwned(faults, mode, parent, pipes, proxies, logger, signal, onLaunched))
}

async function openOwned(
  faults: BrowserFaults,
  mode: LaunchMode,
  parent: BrowsersDirectory,
  pipes: BrowserPipes,
  proxies: EgressProxies | null,
  logger: Logger,
  signal: AbortSignal,
  onLaunched?: () => void,
): Promise<OpenBrowser> {
  const proxy = proxies && (await openProxy(proxies))
  const process = await BrowserProcess.start(mode, parent, pipes, logger, proxy, faults.first)
  faults.reportTo(() => void process.close(0))
  onLaunched?.()
  using deadline = new Deadline(LAUNCH_DEADLINE_MS, [signal])
  try {
    return { ...(await deadline.race(Promise.race([attach(process), faults.first]))), faults }
  } catch (error) {
    const how = deadline.signal.aborted ? null : await Deadline.result(process.exited, EXIT_REPORT_MS)
    await process.close(0)
    if (signal.aborted) throw signal.reason
    const late = deadline.hasExpired ? `it did not respond within ${LAUNCH_DEADLINE_MS / 1000} s` : null
    const why = late ?? (how === null ? (error as Error).message : `it ended at once (${how})`)
    throw new BrowserLaunchFailed(`the browser could not be started: ${why}${quoted(process.lastOutput())}`, error)
  }
}

async function openProxy(proxies: EgressProxies): Promise<EgressProxy> {
  try {
    return await proxies.open()
  } catch (error) {
    throw new BrowserLaunchFailed(`the browser's proxy could not be started: ${(error as Error).message}`, error)
  }
}

/** Playwright's storage state at the time the profile was saved; the domain stores it unchanged. */
type StorageState = Exclude<BrowserContextOptions['storageState'], string | undefined>

const SCHEMES = { LIGHT: 'light', DARK: 'dark', NO_PREFERENCE: 'no-preference' } as const
const MOTIONS = { REDUCE: 'reduce', NO_PREFERENCE: 'no-preference' } as const

/** Playwright's names; null: the browser's defaults. */
export const permissionsOf = ({ permissions }: Pick<Emulation, 'permissions'>): string[] | null =>
  permissions?.map((permission) => permission.toLowerCase().replaceAll('_', '-')) ?? null

/** Playwright's options for those of a session. */
export function contextOptions(options: BrowserOptions): BrowserContextOptions {
  const { emulation, httpCredentials } = options
  const permissions = permissionsOf(emulation)
  const { geolocation, colorScheme, reducedMotion, deviceScaleFactor, isMobile, hasTouch } = emulation
  return {
    viewport: options.viewport,
    ...(emulation.ignoreHttpsErrors ? { ignoreHTTPSErrors: true } : {}),
    ...(httpCredentials === null ? {} : { httpCredentials }),
    ...(geolocation === null ? {} : { geolocation }),
    ...(permissions === null ? {} : { permissions }),
    ...(colorScheme === null ? {} : { colorScheme: SCHEMES[colorScheme] }),
    ...(reducedMotion === null ? {} : { reducedMotion: MOTIONS[reducedMotion] }),
    ...(deviceScaleFactor === 1 ? {} : { deviceScaleFactor }),
    ...(isMobile ? { isMobile } : {}),
    ...(hasTouch ? { hasTouch } : {}),
    ...(options.offline ? { offline: true } : {}),
    ...(options.userAgent === null ? {} : { userAgent: options.userAgent }),
    ...(options.locale === null ? {} : { locale: options.locale }),
    ...(options.timezone === null ? {} : { timezoneId: options.timezone }),
    ...(options.storageState === null ? {} : { storageState: options.storageState as StorageState }),
    ...(options.extraHeaders === null ? {} : { extraHTTPHeaders: options.extraHeaders }),
  }
}

async function attach(process: BrowserProcess): Promise<Omit<OpenBrowser, 'faults'>> {
  const targets = new TargetRegistry(process.connection)
  const connected = Promise.all([
    chromium.connectOverCDP(process.connection.transport, {
      isLocal: true,
      artifactsDir: process.folders.recordings,
      timeout: 0,
    }),
    targets.start(),
  ])
  const [browser] = await process.orEnd(connected)
  const opened = async () => {
    const context = await browser.newContext(contextOptions(DEFAULT_OPTIONS))
    return { context, page: await context.newPage() }
  }
  const { context, page } = await process.orEnd(opened())
  return { process, browser, targets, context, page }
}

function quoted(output: string): string {
  return output === '' ? '' : `; last output: ${output.replace(/\s*\n\s*/g, ' | ').slice(0, 1_000)}`
}
