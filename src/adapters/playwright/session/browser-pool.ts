import { setTimeout as delay } from 'node:timers/promises'
import type { SandboxMode } from '../../../config.ts'
import type { Logger } from '../../../logger.ts'
import type { BrowserRecordingKind } from '../../../ports/artifacts/artifact.ts'
import type { BrowserOptions, BrowserPool, BrowserSession, EventSink } from '../../../ports/browser/browser.ts'
import type { EgressProxies } from '../../../ports/egress/egress.ts'
import { unowned } from '../../../fault-owner.ts'
import type { LaunchMode } from '../launch/browser-process.ts'
import { assignEgress, type AssignedEgress } from './assigned-egress.ts'
import { PlaywrightSession } from './browser-session.ts'
import { BrowserProxies } from '../launch/browser-proxies.ts'
import { BrowsersDirectory } from '../launch/browsers-directory.ts'
import { AuthorizationRedaction } from '../captures/authorization-redaction.ts'
import { Deadline } from '../../../async/deadline.ts'
import { Semaphore } from '../../../async/semaphore.ts'
import { browsersDirectory, reapLeftovers } from '../launch/orphan-reaper.ts'
import { contextOptions, fitsWarm, openBrowser, type OpenBrowser } from '../launch/open-browser.ts'
import { createBrowserPipes, type BrowserPipes } from '../cdp/pipe/browser-pipes.ts'
import { MESSAGE_LIMITS, type MessageLimits } from '../cdp/pipe/message-limits.ts'
import { RecorderSet } from '../recorders/recorder-set.ts'
import { provideFfmpeg } from '../captures/ffmpeg.ts'
import { CaptureSet } from '../captures/capture-set.ts'
import { probeLaunchMode } from '../launch/sandbox.ts'
import { TempSpace } from '../launch/temp-space.ts'
import { prepareWorkers } from '../launch/worker-options.ts'

/** Concurrent launches: each takes most of a core for a moment, and more at once would only delay all of them. */
const MAX_LAUNCHES = 4
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
/** A refill waits until there were no starts for this long, since a concurrent launch would delay them. */
const QUIET_MS = 100
const MAX_POLITENESS_MS = 2_000
/** How long a warm browser may take to prove that it is usable. */
const PROOF_MS = 500
const CONTEXT_CLOSE_MS = 5_000
/** Memory shared by a browser's processes counts as a file, and must be allowed. */
const LEAST_FILE_BYTES = 1024 * 1024 * 1024

export interface BrowserPoolOptions {
  executable: string
  sandbox: SandboxMode
  /** Number of browsers to keep ready. */
  warm: number
  /** The folder of temporary files, preferably with a short path. */
  tempRoot: string
  /** Limit in bytes of all browsers together in that folder. */
  tempLimitBytes: number
  /** Id of the machine that owns these browsers, across restarts of the server. */
  machineId: string
  /** Limits on the browsers' messages. */
  messageLimits?: MessageLimits
  /** Absent: without proxies, for sessions without network restrictions. */
  browserProxies?: BrowserProxies
  /** Called when the process of the first browser has started, and again for each other launch mode that is tried. */
  onLaunching?: () => void
  /** How long entries wait for their bodies, instead of the usual time; for tests. */
  bodyWaitMs?: number | undefined
  logger: Logger
}

export interface SandboxedBrowserPool extends BrowserPool {
  readonly sandboxed: boolean
  /** Why the wanted sandbox is missing, and the remedy, in one sentence; null otherwise. */
  readonly sandboxProblem: string | null
}

/**
 * Ends browsers of an earlier run, determines by a launch how browsers can be started here, and keeps some ready.
 * Rejects with BrowserLaunchFailed if none can be started, or none with the required sandbox.
 */
export async function createBrowserPool(options: BrowserPoolOptions): Promise<SandboxedBrowserPool> {
  const {
    executable,
    sandbox,
    tempRoot,
    tempLimitBytes,
    machineId,
    logger,
    messageLimits = MESSAGE_LIMITS,
    browserProxies = new BrowserProxies(null, false),
  } = options
  const pipes = createBrowserPipes(messageLimits)
  await reapLeftovers(tempRoot, machineId, logger)
  const parent = new BrowsersDirectory(browsersDirectory(tempRoot, machineId), logger)
  const space = new TempSpace(tempRoot, tempLimitBytes, logger)
  const { mode, browser, sandboxProblem } = await probeLaunchMode(
    executable,
    sandbox,
    parent,
    machineId,
    pipes,
    Math.max(space.sessionLimitBytes, LEAST_FILE_BYTES),
    browserProxies.defaultProxies,
    logger,
    options.onLaunching,
  ).catch(async (error: unknown) => {
    await space.close()
    await parent.close()
    throw error
  })
  return new WarmBrowserPool(mode, browser, sandboxProblem, parent, space, pipes, browserProxies, options)
}

class WarmBrowserPool implements SandboxedBrowserPool {
  readonly sandboxed: boolean
  readonly sandboxProblem: string | null
  readonly #mode: LaunchMode
  readonly #parent: BrowsersDirectory
  readonly #space: TempSpace
  #target: number
  readonly #pipes: BrowserPipes
  readonly #browserProxies: BrowserProxies
  readonly #bodyWaitMs: number | undefined
  readonly #logger: Logger
  readonly #description: string
  readonly #closing = new AbortController()
  readonly #background = new Set<Promise<void>>()
  readonly #launchTurns = new Semaphore(MAX_LAUNCHES)
  readonly #noVideo = provideFfmpeg()
  #warm: OpenBrowser[] = []
  #acquiring = 0
  #lastAcquired = Number.NEGATIVE_INFINITY
  #refilling = false
  #lastFailure: string | null = null
  #isDraining = false

  constructor(
    mode: LaunchMode,
    first: OpenBrowser,
    sandboxProblem: string | null,
    parent: BrowsersDirectory,
    space: TempSpace,
    pipes: BrowserPipes,
    browserProxies: BrowserProxies,
    { warm: target, bodyWaitMs, logger }: Pick<BrowserPoolOptions, 'warm' | 'bodyWaitMs' | 'logger'>,
  ) {
    this.#mode = mode
    this.#parent = parent
    this.#space = space
    space.watch(first.process.folders.dir)
    this.#target = target
    this.#pipes = pipes
    this.#browserProxies = browserProxies
    this.#bodyWaitMs = bodyWaitMs
    this.#logger = logger
    this.sandboxed = mode.sandboxed
    this.sandboxProblem = sandboxProblem
    this.#description = `Chromium ${first.browser.version()} (${mode.executable}), ${mode.sandboxed ? 'sandboxed' : 'without sandbox'}`
    if (target > 0) this.#keepWarm(first)
    else this.#inBackground(first.process.close(1_000))
    this.#refill()
  }

  acquire(options: BrowserOptions, recorder: EventSink, signal: AbortSignal): Promise<BrowserSession> {
    const acquired = this.#acquire(options, recorder, AbortSignal.any([signal, this.#closing.signal]))
    this.#inBackground(acquired)
    return acquired
  }

  async #acquire(options: BrowserOptions, recorder: EventSink, signal: AbortSignal): Promise<BrowserSession> {
    this.#acquiring++
    try {
      for (;;) {
        signal.throwIfAborted()
        const way = this.#browserProxies.of(options.egress)
        const warm = way === this.#browserProxies.defaultProxies ? this.#warm.shift() : undefined
        const open = warm ?? (await this.#launch(way, signal))
        try {
          // Runs concurrently: the proxy's thread applies the policy while the browser is checked.
          const egress = assignEgress(open, options.egress)
          if (warm && !(await Deadline.race(isUsable(warm), signal))) {
            this.#logger.warn({ pid: warm.process.pid }, 'a warm browser does not respond; closing it')
            this.#inBackground(warm.process.close(0))
            continue
          }
          return await this.#assign(open, options, egress, recorder, signal)
        } catch (error) {
          const isDead = open.process.hasExited
          await open.process.close(0)
          if (signal.aborted) throw signal.reason
          // A warm browser may have died unnoticed; the next one is tried.
          if (!warm || !isDead) throw error
        }
      }
    } finally {
      this.#acquiring--
      this.#lastAcquired = performance.now()
      this.#refill()
    }
  }

  warmCount(): number {
    return this.#warm.length
  }

  unavailableRecordings(): Partial<Record<BrowserRecordingKind, string>> {
    return this.#noVideo === null ? {} : { VIDEO: this.#noVideo }
  }

  notReady(): string | null {
    if (this.#closing.signal.aborted) return 'the browser pool is closed'
    return this.#lastFailure ?? this.#space.refusal()
  }

  refusal(): string | null {
    return this.#space.refusal()
  }

  describe(): string {
    return this.#description
  }

  drain(): void {
    this.#isDraining = true
    this.#target = 0
    for (const { process } of this.#warm) this.#inBackground(process.close(1_000))
    this.#warm = []
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the browser pool is closed'))
    this.drain()
    while (this.#background.size > 0) await Promise.all(this.#background)
    await this.#space.close()
    await this.#parent.close()
  }

  async #assign(
    open: OpenBrowser,
    options: BrowserOptions,
    { connections, assigned }: AssignedEgress,
    recorder: EventSink,
    signal: AbortSignal,
  ): Promise<BrowserSession> {
    const { process, targets, browser, faults } = open
    faults.reportTo((error) => recorder.failed(error))
    const logger = this.#logger
    const isDefault = fitsWarm(options)
    const recordings = new CaptureSet(options.record, process, targets, recorder, logger)
    const recording = new RecorderSet(
      process.connection,
      targets,
      recorder,
      isDefault,
      process.folders.downloads,
      logger,
      process,
      connections,
      { ...options.capture, waitMs: this.#bodyWaitMs },
    )
    if (options.httpCredentials) {
      const redaction = new AuthorizationRedaction(options.httpCredentials)
      recording.redact(redaction)
      recordings.redact(redaction)
      recorder.expectSecret(options.httpCredentials.password)
    }
    prepareWorkers(process.connection, targets, options)
    try {
      const opened = async () => {
        if (isDefault) {
          await recordings.start(open.context)
          return open.context
        }
        const show = targets.hideNewPages()
        const context = await browser
          .newContext({ ...contextOptions(options), ...recordings.contextOptions(options) })
          .finally(show)
        await recordings.start(context)
        await context.newPage()
        return context
      }
      // Concurrently: until it is assigned, the proxy lets nothing through.
      const [context] = await Deadline.race(process.orEnd(Promise.all([opened(), assigned])), signal)
      if (!isDefault) this.#inBackground(Deadline.isMet(open.context.close(), CONTEXT_CLOSE_MS))
      const session = new PlaywrightSession(process, targets, context, recording, recordings, recorder, options, logger)
      session.boundBy(this.#space.watch(process.folders.dir))
      return session
    } catch (error) {
      recording.stop()
      await recordings.dispose()
      throw error
    }
  }

  /** A new browser, once it is this launch's turn. */
  async #launch(way: EgressProxies | null, signal: AbortSignal): Promise<OpenBrowser> {
    const passTurn = await this.#launchTurns.acquire(signal)
    try {
      const open = await openBrowser(this.#mode, this.#parent, this.#pipes, way, this.#logger, signal)
      this.#space.watch(open.process.folders.dir)
      this.#lastFailure = null
      return open
    } catch (error) {
      if (!signal.aborted) this.#lastFailure = (error as Error).message
      throw error
    } finally {
      passTurn()
    }
  }

  #keepWarm(open: OpenBrowser): void {
    this.#warm.push(open)
    const { exited, connection } = open.process
    void Promise.race([exited, connection.misbehaved]).then((how) => {
      const place = this.#warm.indexOf(open)
      if (place < 0) return
      this.#warm.splice(place, 1)
      this.#logger.warn({ how }, 'a warm browser has exited; starting another')
      this.#inBackground(open.process.close(0))
      this.#refill()
    })
  }

  #refill(): void {
    if (this.#refilling || this.#closing.signal.aborted) return
    this.#refilling = true
    this.#inBackground(unowned(() => this.#fill()))
  }

  /** A failed launch is retried even without warm browsers, to detect when browsers can be started again. */
  #lacks(): boolean {
    return !this.#isDraining && (this.#warm.length < this.#target || this.#lastFailure !== null)
  }

  async #fill(): Promise<void> {
    const { signal } = this.#closing
    let retryMs = FIRST_RETRY_MS
    while (this.#lacks() && !signal.aborted) {
      try {
        await this.#quiet(signal)
        const open = await this.#launch(this.#browserProxies.defaultProxies, signal)
        if (signal.aborted) await open.process.close(0)
        else if (this.#warm.length < this.#target) this.#keepWarm(open)
        else await open.process.close(1_000)
        retryMs = FIRST_RETRY_MS
      } catch (error) {
        if (signal.aborted) break
        this.#logger.warn({ err: error, retryMs }, 'no warm browser could be started')
        await delay(retryMs, undefined, { signal }).catch(() => undefined)
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
      }
    }
    // In one step with the last check: any later take starts the next refill.
    this.#refilling = false
  }

  async #quiet(signal: AbortSignal): Promise<void> {
    const until = performance.now() + MAX_POLITENESS_MS
    while (performance.now() < until) {
      if (this.#acquiring === 0 && performance.now() - this.#lastAcquired >= QUIET_MS) return
      await delay(QUIET_MS / 4, undefined, { signal })
    }
  }

  /** Work that `close` waits for. */
  #inBackground(work: Promise<unknown>): void {
    const guarded = work
      .then(
        () => undefined,
        (error: unknown) => this.#logger.debug({ err: error }, 'work on a browser failed'),
      )
      .finally(() => this.#background.delete(guarded))
    this.#background.add(guarded)
  }
}

/** One round trip through the browser to its page: either may have been stopped, or have failed, while idle. */
async function isUsable({ process, targets }: OpenBrowser): Promise<boolean> {
  const [sessionId] = targets.pageSessionIds()
  if (process.hasExited || sessionId === undefined) return false
  const answer = process.connection.send('Runtime.getHeapUsage', {}, sessionId).then(
    () => true,
    () => false,
  )
  return (await Deadline.result(answer, PROOF_MS)) === true
}
