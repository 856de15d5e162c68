import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { Logger } from 'pino'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { BrowserOptions, BrowserSession, BrowserVersion, PageState } from '../../ports/browser/browser.ts'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { CutFailure, EntryDraft, LogEntry, PendingRequest, SessionEndReason } from '../../ports/log/log-entry.ts'
import type { SessionPatch, SessionRecord } from '../../ports/sessions/session-record.ts'
import { Throttle } from '../kernel/throttle.ts'
import { DatabaseUnavailable } from '../kernel/database-unavailable.ts'
import { openFirstPage } from './first-page.ts'
import { takeFirstScreenshot } from './first-screenshot.ts'
import { PendingRequests } from '../log/entries/pending-requests.ts'
import { SessionActions } from './session-actions.ts'
import { BrowserLease } from './browser-lease.ts'
import { SessionClients } from './cdp-clients.ts'
import { SessionClock } from './timeouts.ts'
import { LiveViewHost } from './live-view-host.ts'
import { ArtifactRecorder, type DescribedFile } from './artifact-recorder.ts'
import { BodyRecorder } from './body-recorder.ts'
import { saveHar } from './har-artifact.ts'
import { InFlightWork } from './in-flight-work.ts'
import { SessionLog } from '../log/writing/session-log.ts'
import type { AttachedClient } from '../sessions/session-handle.ts'
import { SessionEventSink } from './session-event-sink.ts'
import type { SessionServices } from './session-services.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { CurrentPage } from './current-page.ts'
import { SessionNotRunning, transition, type SessionEnding, type SessionState } from '../kernel/session-state.ts'
import type { Place } from '../kernel/capacity-queue.ts'
import { Deadline } from '../../async/deadline.ts'

const UPDATE_WAIT_MS = 10_000
/** Minimum interval between updates of URL, title, counts and pending requests: 4 per second. */
const DETAIL_INTERVAL_MS = 250

/**
 * One live session: its slot, browser, log and deadlines, and a single way to end.
 * Status and counts change in the snapshot once the log has them (guarantee 2); the current URL, title and pending
 * requests are state, and are published immediately.
 */
export class Session {
  readonly id: string
  readonly owner: string
  readonly log: SessionLog
  readonly actions: SessionActions
  readonly live: LiveViewHost
  /** Receives the browser's events. */
  readonly sink: SessionEventSink
  readonly #running = Promise.withResolvers<void>()
  readonly #loaded = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<void>()
  /** Resolves when the session is RUNNING or has ended. */
  readonly running = this.#running.promise
  /** Resolves when the first page has loaded (or there is none to load), or the session has ended. */
  readonly loaded = this.#loaded.promise
  /** Resolves when the final status is committed and all resources of the session are released. */
  readonly ended = this.#ended.promise
  /** Whether its row is left to another machine. */
  isHandedBack = false
  readonly #clients: SessionClients
  readonly #services: SessionServices
  readonly #logger: Logger
  readonly #place: Place
  readonly #details: Throttle
  readonly #pending = new PendingRequests()
  readonly #clock: SessionClock
  readonly #files: ArtifactRecorder
  readonly #currentPage: CurrentPage
  readonly #work: InFlightWork
  readonly #stop = new AbortController()
  #record: SessionRecord
  #state: SessionState
  #browser: BrowserLease | null = null
  #launching: Promise<BrowserLease> | null = null
  #ending: Promise<void> | null = null
  #savesHar = false
  #until = Number.POSITIVE_INFINITY

  constructor(services: SessionServices, record: SessionRecord, firstEntries: readonly LogEntry[], place: Place) {
    this.id = record.id
    this.owner = record.owner
    this.#services = services
    this.#logger = services.logger.child({ sessionId: record.id })
    this.#place = place
    this.#record = record
    this.#state = { status: 'CREATING', endReason: null }
    this.#clock = new SessionClock(
      () => this.#record,
      (reason) => void this.end(reason),
      services.waitedMs,
    )
    this.#files = new ArtifactRecorder(record, services.artifacts, (draft) => this.sink.record(draft), this.#logger)
    this.#work = new InFlightWork(this.#clock, this.#logger)
    this.#details = new Throttle(DETAIL_INTERVAL_MS, () => services.announce(this.snapshot()))
    this.log = new SessionLog(
      services.store,
      record,
      firstEntries,
      services.limits,
      {
        committed: (_, patch) => this.#onCommitted(patch),
        failed: (error) => this.failed(error),
        lost: () => this.#onLogLost(),
      },
      services.logger,
    )
    this.#currentPage = new CurrentPage(record, this.log, () => this.#details.touch())
    this.sink = new SessionEventSink({
      log: this.log,
      currentPage: this.#currentPage,
      pending: this.#pending,
      bodies: new BodyRecorder(record, services.bodies, this.#logger),
      files: this.#files,
      firstPage: () => this.pages()[0] ?? null,
      touched: () => this.#details.touch(),
      failed: (error) => this.failed(error),
    })
    const refuseAddress = (url: string) => services.refuseAddress(url, record.egress)
    this.#clients = new SessionClients({
      refuseAddress,
      record: (draft) => this.sink.record(draft),
      active: () => this.#active(),
      clock: this.#clock,
      files: this.#files,
      logger: this.#logger,
    })
    this.actions = new SessionActions({
      owner: record.owner,
      log: this.log,
      files: this.#files,
      artifacts: services.artifacts,
      refuseAddress,
      browser: () => this.#requireBrowser(),
      redacted: (draft) => this.sink.redacted(draft),
      acted: (action, at) => this.#currentPage.acted(action, at),
      // The entries of actions carry their own time of activity.
      occupy: (work) => this.#occupy(work, () => this.#watchLimits()),
    })
    this.live = new LiveViewHost({ browser: () => this.#requireBrowser(), active: () => this.#active() })
  }

  /** False once its end has been requested, although the log says RUNNING until everything is saved. */
  get isRunning(): boolean {
    return !this.#ending && this.#record.status === 'RUNNING'
  }

  snapshot(): SessionSnapshot {
    const { counts, head } = this.log
    return {
      ...this.#record,
      ...this.#currentPage.state,
      ...counts,
      lastSequence: head.lastSequence,
      pendingRequestCount: this.#pending.size,
      expiresAt: this.#clock.expiresAt(),
    }
  }

  readonly pages = (): PageState[] => this.#browser?.browser.pages() ?? []

  /** Oldest first. */
  readonly pendingRequests = (limit: number): PendingRequest[] => this.#pending.list(limit)

  /** See SessionClients.attach. Also rejects with SessionNotRunning. */
  async attachClient(name: string, client: CdpClient): Promise<AttachedClient> {
    return this.#clients.attach(this.#requireBrowser(), name, client)
  }

  /** Version as reported by the browser. Rejects with SessionNotRunning. */
  readonly browserVersion = async (): Promise<BrowserVersion> => this.#requireBrowser().version()

  /** Milliseconds until the browser responded; null if it did not, or there is none. */
  async ping(timeoutMs: number): Promise<number | null> {
    return (await this.#browser?.browser.ping(timeoutMs)) ?? null
  }

  /**
   * Takes the session from its place in the queue to its first page, with a screenshot. Never rejects: failures end
   * the session. `savesHar`: saves a HAR of its log at the end.
   */
  async run(options: BrowserOptions, firstUrl: string | null, screenshot: boolean, savesHar: boolean): Promise<void> {
    this.#savesHar = savesHar
    this.#watchLimits()
    try {
      await Promise.race([this.#place.granted, once(this.#stop.signal, 'abort')])
      if (this.#ending) return
      const { browsers, deadlines } = this.#services
      const wanted = () => this.#record
      const { signal } = this.#stop
      this.#launching = BrowserLease.launch(browsers, options, wanted, this.sink, deadlines, this.#logger, signal)
      const browser = await this.#launching
      // `#end` knows about the launch, and closes its browser.
      if (this.#ending) return
      this.#browser = browser
      this.#endsWith(browser.browser.crashed, 'BROWSER_CRASHED')
      this.#endsWith(browser.browser.misbehaved, 'BROWSER_MISBEHAVED')
      await this.#becomeRunning()
      if (firstUrl && !this.#ending) await openFirstPage(browser, firstUrl, this, this.#currentPage, this.#work, signal)
      if (screenshot && !this.#ending) await takeFirstScreenshot(this.actions, this.#logger)
    } catch (error) {
      if (this.#ending) return
      this.#logger.error({ err: error }, 'a session could not be started')
      const message = error instanceof Error ? error.message : String(error)
      void this.end(this.#state.status === 'CREATING' ? 'LAUNCH_FAILED' : 'BROWSER_CRASHED', message)
    } finally {
      // When the session is ending, callers that wait for the page wait for the end instead.
      await this.#ending
      this.#loaded.resolve()
    }
  }

  /**
   * Resolves when the change is committed. Counts as activity and resets the idle timeout. Throws
   * DatabaseUnavailable.
   */
  async update(change: SessionPatch): Promise<void> {
    await this.#browser?.change(change).catch((error: unknown) => {
      // Errors of a browser that is being closed are irrelevant.
      if (!this.#ending) throw error
    })
    this.#requireNotEnding()
    this.log.patch({ ...change, lastActivityAt: Date.now() })
    const isCommitted = await Deadline.isMet(this.log.flush(), UPDATE_WAIT_MS)
    if (!isCommitted) throw new DatabaseUnavailable('the change is queued, and applied once it is available again')
    this.#watchLimits()
    this.#details.touch()
  }

  /**
   * Runs work in the session: until it is done the session is not idle, and the end of the session waits for it and
   * fires its signal with a SessionEnding. The work must not reject. Throws SessionNotRunning.
   */
  occupy(work: (stopped: AbortSignal) => Promise<void>): void {
    this.#occupy(work, () => this.#active())
  }

  /** Ends the session, once; later callers wait for the same end, and their reasons are ignored. */
  end(reason: SessionEndReason, error: string | null = null): Promise<void> {
    if (this.#ending) return this.#ending
    const next = transition(this.#state, { type: 'ended', reason })
    if (!next) return Promise.resolve()
    this.#ending = this.#end(next, error).catch((failure: unknown) => {
      this.#logger.fatal({ err: failure }, 'the end of a session failed')
    })
    return this.#ending
  }

  /** Like `end`, for server shutdown: done by `until`, on the clock of `performance.now`, if the store responds. */
  shutDown(until: number): Promise<void> {
    this.#until = until
    this.#browser?.hurry(until)
    return this.end('SERVER_SHUTDOWN')
  }

  /**
   * Leaves a session that is not RUNNING yet to another machine: its browser ends, and nothing more is written. False:
   * it runs, or ends already.
   */
  handBack(): boolean {
    if (this.#ending || this.#state.status !== 'CREATING') return false
    this.isHandedBack = true
    this.log.leave()
    return true
  }

  readonly record = (draft: EntryDraft): void => this.sink.record(draft)

  /** A fault inside the session, which ends it. */
  failed(error: unknown): void {
    this.#logger.error({ err: error }, 'a fault inside a session: the session ends')
    void this.end('INTERNAL_ERROR', 'Internal error. The server log has the cause, with the id of the session.')
  }

  /** Saves a file of the session, and logs it. Throws as Artifacts.save does. */
  saveArtifact(file: DescribedFile, content: Readable, signal: AbortSignal): Promise<ArtifactRecord> {
    return this.#files.save(file, content, signal)
  }

  /** Throws SessionNotRunning. */
  #requireBrowser(): BrowserSession {
    if (this.#ending || !this.#browser) throw new SessionNotRunning()
    return this.#browser.browser
  }

  #requireNotEnding(): void {
    if (this.#ending) throw new SessionNotRunning()
  }

  /** `reported` never rejects. */
  #endsWith(reported: Promise<string>, reason: SessionEndReason): void {
    void reported.then((why) => this.end(this.#state.status === 'CREATING' ? 'LAUNCH_FAILED' : reason, why))
  }

  async #becomeRunning(): Promise<void> {
    const next = this.#ending ? null : transition(this.#state, { type: 'started' })
    if (!next) return
    this.#state = next
    const now = Date.now()
    const change = { from: 'CREATING', to: 'RUNNING', endReason: null, error: null } as const
    this.sink.pagesChanged()
    this.log.append(
      { kind: 'STATUS_CHANGE', at: now, data: change },
      { status: 'RUNNING', startedAt: now, lastActivityAt: now },
    )
    await this.log.flush()
    this.#watchLimits()
    this.#running.resolve()
  }

  async #end(next: SessionState, error: string | null): Promise<void> {
    const from = this.#state.status
    this.#state = next
    this.#stop.abort({ reason: next.endReason ?? 'TERMINATED', error } satisfies SessionEnding)
    this.#clock.stop()
    this.#browser?.browser.endWatching()
    try {
      // Whatever fails, the browser is closed and the log ends.
      await this.#wrapUp(next).catch((failure: unknown) => {
        this.#logger.error({ err: failure }, 'a part of the end of a session failed')
      })
      this.sink.seal()
      await (this.#browser?.close() ?? this.#endLaunch())
      const endedAt = Date.now()
      const missingReports = this.#browser?.missingReports(endedAt)
      if (missingReports) this.log.append(missingReports)
      const { status: to, endReason } = next
      await this.log.end(
        { kind: 'STATUS_CHANGE', at: endedAt, data: { from, to, endReason, error } },
        { status: to, endReason, error: error ?? this.#record.error, endedAt },
      )
    } finally {
      this.#place.leave()
      this.#details.close()
      this.#running.resolve()
      this.#loaded.resolve()
      this.#ended.resolve()
    }
  }

  /** A canceled launch is over when nothing is left of its browser; a browser that has just arrived is closed. */
  async #endLaunch(): Promise<void> {
    try {
      const late = await this.#launching
      await late?.browser.close(0)
    } catch (error) {
      this.#logger.debug({ err: error }, 'a launch ended with its session')
    }
  }

  /** Lets work in progress finish, and saves its results. */
  async #wrapUp({ status, endReason }: SessionState): Promise<void> {
    await this.#work.settle(this.#until)
    const crashed = endReason === 'BROWSER_CRASHED'
    const why = crashed ? 'the browser crashed' : 'session ended'
    await this.#browser?.flush(crashed, why)
    this.#endRequests(why)
    await this.#clients.close(`the session has ended: ${endReason ?? status}`)
    await this.#browser?.finishFiles()
    // Pages are live until now, and requests that they made in the meantime end with them.
    this.#endRequests(why)
    if (this.#savesHar && this.#browser) await saveHar(this.#services, this, this.#files, this.#until)
  }

  #endRequests(why: CutFailure): void {
    for (const draft of this.#pending.endAll(why, Date.now())) this.log.append(draft)
  }

  #onCommitted(patch: SessionPatch | null): void {
    if (patch) this.#record = { ...this.#record, ...patch }
    this.#services.publish(this.id)
    if (patch?.status) this.#details.now()
    else this.#details.touch()
  }

  #onLogLost(): void {
    this.#services.publish(this.id)
    // A session must not continue without its log: another machine, or a deletion, has taken its row.
    void this.end('MACHINE_LOST', 'The log of the session is written by someone else now.')
  }

  #occupy(work: (stopped: AbortSignal) => Promise<void>, done: () => void): void {
    this.#requireNotEnding()
    this.#work.begin(() => work(this.#stop.signal), done)
  }

  /** Activity: resets the idle timeout. */
  #active(): void {
    if (this.#ending) return
    this.log.patch({ lastActivityAt: Date.now() })
    this.#watchLimits()
  }

  #watchLimits(): void {
    if (!this.#ending) this.#clock.watch()
  }
}
