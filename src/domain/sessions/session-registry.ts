import type { Readable } from 'node:stream'
import type { Logger } from 'pino'
import type { ArtifactRecord } from '../../ports/artifact.ts'
import type { BrowserPool, PageState } from '../../ports/browser.ts'
import type { Bus } from '../../ports/bus.ts'
import { ownedBy } from '../../fault-owner.ts'
import type { PendingRequest } from '../../ports/log-entry.ts'
import { StoreUnavailable } from '../../ports/store-errors.ts'
import type { SessionRecord } from '../../ports/session-record.ts'
import type { Store } from '../../ports/store.ts'
import type { TaskRecord } from '../../ports/task.ts'
import type { AgentTasks } from '../tasks/agent-tasks.ts'
import type { Artifacts, NewArtifact } from '../artifacts/artifacts.ts'
import { policyOf, policyOfShown, type ServerEgress } from './egress-input.ts'
import { BadUserInput, NotFound } from '../kernel/errors.ts'
import { hashOfOptions } from './idempotency.ts'
import { readInitialPrompt } from './initial-prompt.ts'
import { refusePageAddress } from '../kernel/navigation-policy.ts'
import { browserOptionsOf, firstEntryOf, insertNewSession, newSessionRecord, requireRecordings } from './new-session.ts'
import { DEFAULT_DEADLINES, type SessionDeadlines } from '../session/browser-lease.ts'
import { SessionChanges } from './session-changes.ts'
import { SessionFaults } from './session-faults.ts'
import { parseSessionFilter, type SessionFilterInput } from './session-filter.ts'
import { healthOf, type SessionHealth } from './session-health.ts'
import {
  parseStartSession,
  parseUpdateSession,
  type SessionOptions,
  type StartSessionInput,
  type UpdateSessionInput,
} from './session-input.ts'
import { listSessions, SESSION_PAGE_BOUNDS, type SessionListArguments, type SessionListPage } from './session-list.ts'
import type { LogLimits } from '../log/log-limits.ts'
import type { Profiles } from '../profiles/profiles.ts'
import type { SessionLog } from '../log/session-log.ts'
import type { SessionSnapshot } from '../log/session-snapshot.ts'
import { isEnded, LIVE_STATUSES, SessionNotRunning } from '../session/session-state.ts'
import type { SessionServices } from '../session/session-services.ts'
import { Session } from '../session/session.ts'
import { CapacityExceeded, Slots } from '../kernel/capacity-queue.ts'
import { requireRoom } from '../artifacts/storage-room.ts'
import { UndecidedStarts } from './undecided-starts.ts'
import { Deadline } from '../../async/deadline.ts'

export type StartWait = 'CREATING' | 'RUNNING' | 'LOADED'

export interface Capacity {
  total: number
  live: number
  queued: number
  warm: number
}

export interface SessionRegistryOptions {
  machineId: string
  maxSessions: number
  maxQueued: number
  limits: LogLimits
  /** What sessions may reach at most. */
  egress: ServerEgress
  /** What sessions may start with. */
  profiles: Profiles
  /** Throws StorageFull where there is no room for another session. */
  requireRoom?(): Promise<void>
  deadlines?: Partial<SessionDeadlines> | undefined
}

/** startSession answers after this long with the session as it stands. */
const START_WAIT_MS = 30_000
const TERMINATE_WAIT_MS = 30_000
/** Of the time that a shutdown leaves sessions: for all but the rest of their logs. */
const SESSIONS_SHARE = 0.7
const ELSEWHERE = 'The session does not live on this server.'

/** Starts sessions, finds them, ends them, and knows which live here. What is another owner's does not exist. */
export class SessionRegistry {
  readonly #changes = new SessionChanges()
  readonly #store: Store
  readonly #browsers: BrowserPool
  readonly #tasks: AgentTasks
  readonly #options: SessionRegistryOptions
  readonly #services: SessionServices
  readonly #logger: Logger
  readonly #slots: Slots
  readonly #live = new Map<string, Session>()
  readonly #undecided: UndecidedStarts
  #closing = false

  constructor(
    store: Store,
    browsers: BrowserPool,
    artifacts: Artifacts,
    tasks: AgentTasks,
    bus: Bus,
    options: SessionRegistryOptions,
    logger: Logger,
  ) {
    this.#store = store
    this.#browsers = browsers
    this.#tasks = tasks
    this.#options = options
    this.#logger = logger
    this.#slots = new Slots(options.maxSessions, options.maxQueued)
    const announce = (record: SessionRecord) => this.#changes.announce(this.#snapshotOf(record))
    this.#undecided = new UndecidedStarts(store, announce, logger)
    this.#services = {
      store,
      browsers,
      artifacts,
      limits: options.limits,
      refuseAddress: (url, egress) => refusePageAddress(url, policyOfShown(egress, options.egress)),
      deadlines: { ...DEFAULT_DEADLINES, ...options.deadlines },
      logger,
      publish: (sessionId) => bus.publish(sessionId),
      announce: (snapshot) => this.#changes.announce(snapshot),
    }
  }

  /** Answers when the session has reached `waitUntil` or has ended, after 30 s, or when the signal fires. */
  async start(
    owner: string,
    input: StartSessionInput | null | undefined,
    waitUntil: StartWait,
    signal: AbortSignal,
  ): Promise<SessionSnapshot> {
    const options = parseStartSession(input, this.#options.egress)
    const policy = policyOf(options, this.#options.egress)
    requireRecordings(options.record, this.#browsers.unavailableRecordings())
    const initial = options.initialPrompt === null ? null : readInitialPrompt(options.initialPrompt)
    if (initial?.kind === 'TASK') this.#tasks.requireModel()
    const earlier = await this.#findStarted(owner, options)
    if (earlier) return this.#untilReached(earlier, waitUntil, signal)

    await this.#options.requireRoom?.()
    const profile = options.profileId === null ? null : await this.#options.profiles.open(owner, options.profileId)
    if (this.#closing) throw new CapacityExceeded(this.#secondsUntilASlot(), 'The server is shutting down.')
    requireRoom([this.#browsers])
    const place = this.#slots.enter(() => this.#secondsUntilASlot())
    const faults = new SessionFaults()
    const record = newSessionRecord(owner, options, profile?.id ?? null, policy, this.#options.machineId)
    let session: Session
    try {
      const firstEntry = firstEntryOf(record)
      const outcome = await insertNewSession(this.#store, record, firstEntry)
      if (outcome.kind === 'exists') {
        place.leave()
        return await this.#untilReached(this.#sameStart(outcome.record, options), waitUntil, signal)
      }
      session = ownedBy(faults, () => new Session(this.#services, record, [firstEntry], place))
      faults.of(session)
    } catch (error) {
      place.leave()
      if (error instanceof StoreUnavailable) this.#undecided.add(record)
      throw error
    }
    this.#live.set(session.id, session)
    void session.ended.then(() => this.#forget(session))
    if (initial?.kind === 'TASK') await ownedBy(faults, () => this.#startInitialTask(session, initial.prompt))
    const browserOptions = browserOptionsOf(options, profile?.state ?? null, policy)
    const firstUrl = initial?.kind === 'URL' ? initial.url : null
    void ownedBy(faults, () => session.run(browserOptions, firstUrl, options.screenshot))
    this.#changes.announce(session.snapshot())
    // A server that is going down meanwhile has already asked the sessions it knew to end.
    if (this.#closing) void session.end('SERVER_SHUTDOWN')
    return this.#untilReached(session.snapshot(), waitUntil, signal)
  }

  async find(owner: string, sessionId: string): Promise<SessionSnapshot | null> {
    const live = this.#live.get(sessionId)
    if (live) return live.owner === owner ? live.snapshot() : null
    const record = await this.#store.findSession(sessionId)
    return record?.owner === owner ? this.#snapshotOf(record) : null
  }

  list(owner: string, args: SessionListArguments, signal: AbortSignal): Promise<SessionListPage> {
    return listSessions(this.#store, owner, args, (record) => this.#snapshotOf(record), signal)
  }

  /** Ends the session; one that has ended already stays as it ended. */
  async terminate(owner: string, sessionId: string): Promise<SessionSnapshot> {
    const found = await this.find(owner, sessionId)
    if (!found) throw new NotFound('session')
    const session = this.#live.get(sessionId)
    if (!session && !isEnded(found.status)) throw new SessionNotRunning(ELSEWHERE)
    // A store that is away holds up the final entry: then the session is told as it stands, and ends when it can.
    if (session) await Deadline.isMet(session.end('TERMINATED'), TERMINATE_WAIT_MS)
    return (await this.find(owner, sessionId)) ?? found
  }

  /** Ends every live session that the filter matches; returns how many there were. */
  async terminateAll(owner: string, input: SessionFilterInput): Promise<number> {
    const filter = parseSessionFilter(input, ['filter'])
    if (Object.values(filter).every((member) => member == null)) {
      const message = 'must have at least one member: ending all sessions has to be said, for example by status'
      throw new BadUserInput([{ path: ['filter'], code: 'REQUIRED', message }])
    }
    const wanted = filter.status?.filter((status) => !isEnded(status)) ?? LIVE_STATUSES
    if (wanted.length === 0) return 0
    let count = 0
    for (let after: SessionRecord | null = null, hasMore = true; hasMore;) {
      const page = await this.#store.listSessions({
        owner,
        filter: { ...filter, status: wanted },
        direction: 'forward',
        after,
        limit: SESSION_PAGE_BOUNDS.max,
      })
      const ending = page.records.flatMap(({ id }) => this.#live.get(id) ?? [])
      await Promise.all(ending.map((session) => session.end('TERMINATED')))
      count += ending.length
      after = page.records.at(-1) ?? null
      hasMore = page.hasMore && after !== null
    }
    return count
  }

  async update(owner: string, sessionId: string, input: UpdateSessionInput): Promise<SessionSnapshot> {
    if (!(await this.find(owner, sessionId))) throw new NotFound('session')
    const change = parseUpdateSession(input)
    const session = await this.requireLive(owner, sessionId)
    await session.update(change)
    return session.snapshot()
  }

  /** The owner's session if it lives here. Throws NotFound, or SessionNotRunning when it has ended or lives elsewhere. */
  async requireLive(owner: string, sessionId: string): Promise<Session> {
    const found = await this.find(owner, sessionId)
    if (!found) throw new NotFound('session')
    const session = this.#live.get(sessionId)
    if (isEnded(found.status)) throw new SessionNotRunning()
    if (!session) throw new SessionNotRunning(ELSEWHERE)
    return session
  }

  /** For whoever holds a signed link: a session that is RUNNING here and not about to end; null: there is none. */
  findRunning(sessionId: string): Session | null {
    const session = this.#live.get(sessionId)
    return session?.isRunning ? session : null
  }

  /** See AgentTasks.start. Throws NotFound as well. */
  async startTask(owner: string, sessionId: string, input: unknown): Promise<TaskRecord> {
    this.#tasks.requireModel()
    return this.#tasks.start(await this.requireLive(owner, sessionId), input)
  }

  /** Its pages, oldest first; none when it does not live here (any more). */
  pages(sessionId: string): PageState[] {
    return this.#live.get(sessionId)?.pages() ?? []
  }

  pendingRequests(sessionId: string, first: number): PendingRequest[] {
    if (first < 1 || first > 1000) {
      throw new BadUserInput([{ path: ['first'], code: 'OUT_OF_RANGE', message: 'must be from 1 to 1000' }])
    }
    return this.#live.get(sessionId)?.pendingRequests(first) ?? []
  }

  /** Asks the browser now; answers within 2 s whatever it does. */
  health(snapshot: SessionSnapshot): Promise<SessionHealth> {
    const session = this.#live.get(snapshot.id)
    return healthOf(snapshot, async (timeoutMs) => (await session?.ping(timeoutMs)) ?? null)
  }

  capacity(): Capacity {
    const { total, live, queued } = this.#slots
    return { total, live, queued, warm: this.#browsers.warmCount() }
  }

  /** For sessionChanged: see SessionChanges.follow. Throws NotFound before the first change. */
  async changes(
    owner: string,
    sessionId: string | null,
    signal: AbortSignal,
  ): Promise<AsyncIterableIterator<SessionSnapshot>> {
    if (sessionId === null) return this.#changes.follow(owner, null, () => this.#allLive(owner), signal)
    if (!(await this.find(owner, sessionId))) throw new NotFound('session')
    const now = async () => {
      const snapshot = await this.find(owner, sessionId)
      return snapshot ? [snapshot] : []
    }
    return this.#changes.follow(owner, sessionId, now, signal)
  }

  /** Keeps a file that a client gives; a session that has ended has it among its artifacts, but not in its log. */
  keepUpload(
    file: Pick<NewArtifact, 'sessionId' | 'owner' | 'name' | 'contentType' | 'announcedBytes'> & { id: string },
    content: Readable,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    const upload = { ...file, kind: 'UPLOAD', pageId: null } as const
    const session = this.#live.get(file.sessionId)
    return session
      ? session.keepArtifact(upload, content, signal)
      : this.#services.artifacts.keep(upload, content, signal)
  }

  /** The log of a session that lives here. */
  liveLog(sessionId: string): SessionLog | null {
    return this.#live.get(sessionId)?.log ?? null
  }

  /**
   * Ends every session as SERVER_SHUTDOWN. Most of the time is theirs; then logs that are far behind count what waits, so
   * that each can commit its end; after the deadline, logs whose store is away are given up.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true
    const sessionsMs = deadlineMs * SESSIONS_SHARE
    const until = performance.now() + sessionsMs
    const live = () => this.#live.values()
    const timers = [
      setTimeout(() => live().forEach(({ log }) => log.cutShort()), sessionsMs),
      setTimeout(() => live().forEach(({ log }) => log.abandon()), deadlineMs),
    ]
    try {
      await Promise.all([this.#undecided.close(), ...[...live()].map((session) => session.shutDown(until))])
    } finally {
      timers.forEach(clearTimeout)
    }
  }

  /** Without its task the session has no sense: one whose task cannot be kept fails. */
  async #startInitialTask(session: Session, prompt: string): Promise<void> {
    try {
      await this.#tasks.startInitial(session, prompt)
    } catch (error) {
      await session.end('LAUNCH_FAILED', 'Its task could not be kept.')
      throw error
    }
  }

  async #findStarted(owner: string, options: SessionOptions): Promise<SessionSnapshot | null> {
    if (options.idempotencyKey === null) return null
    const record = await this.#store.findSessionByIdempotencyKey(owner, options.idempotencyKey)
    return record && this.#sameStart(record, options)
  }

  #sameStart(record: SessionRecord, options: SessionOptions): SessionSnapshot {
    if (record.inputHash === hashOfOptions(options)) return this.#snapshotOf(record)
    const message = 'was already used to start a session with another input'
    throw new BadUserInput([{ path: ['input', 'idempotencyKey'], code: 'CONFLICT', message }])
  }

  #snapshotOf(record: SessionRecord): SessionSnapshot {
    const live = this.#live.get(record.id)
    return live?.snapshot() ?? { ...record, pendingRequestCount: 0, expiresAt: null }
  }

  async #allLive(owner: string): Promise<SessionSnapshot[]> {
    return [...this.#live.values()].filter((session) => session.owner === owner).map((session) => session.snapshot())
  }

  async #untilReached(started: SessionSnapshot, waitUntil: StartWait, signal: AbortSignal): Promise<SessionSnapshot> {
    const session = this.#live.get(started.id)
    if (!session || waitUntil === 'CREATING') return session?.snapshot() ?? started
    await Deadline.isMet(waitUntil === 'RUNNING' ? session.running : session.loaded, START_WAIT_MS, signal)
    return session.snapshot()
  }

  async #forget(session: Session): Promise<void> {
    this.#live.delete(session.id)
    const snapshot = session.snapshot()
    if (isEnded(snapshot.status)) return
    // Its log was lost, so how it ended stands in the store if anywhere.
    try {
      const record = await this.#store.findSession(session.id)
      if (record) this.#changes.announce(this.#snapshotOf(record))
    } catch (error) {
      this.#logger.error({ err: error, sessionId: session.id }, 'how a session ended could not be read')
    }
  }

  /** When a slot may be free: a guess from what ends first, within what a client can be asked to wait. */
  #secondsUntilASlot(): number {
    const ends = [...this.#live.values()].map((session) => session.snapshot().expiresAt ?? Number.POSITIVE_INFINITY)
    const seconds = Math.ceil((Math.min(...ends) - Date.now()) / 1000)
    return Math.min(60, Math.max(1, seconds))
  }
}
