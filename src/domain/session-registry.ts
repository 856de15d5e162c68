import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import type { BrowserPool, PageState } from '../ports/browser.ts'
import type { Bus } from '../ports/bus.ts'
import type { LogEntry, PendingRequest } from '../ports/log-entry.ts'
import {
  StoreUnavailable,
  type InsertSessionOutcome,
  type SessionFilter,
  type SessionRecord,
  type Store,
} from '../ports/store.ts'
import type { Artifacts } from './artifacts.ts'
import { decodeSessionCursor } from './cursor.ts'
import { BadUserInput, NotFound } from './errors.ts'
import { hashOfOptions } from './idempotency.ts'
import { pageRequest, type PageArguments } from './page-arguments.ts'
import { SessionChanges } from './session-changes.ts'
import { parseSessionFilter, type SessionFilterInput } from './session-filter.ts'
import {
  canonicalTimezone,
  parseStartSession,
  parseUpdateSession,
  type SessionOptions,
  type StartSessionInput,
  type UpdateSessionInput,
} from './session-input.ts'
import type { LogLimits, SessionLog } from './session-log.ts'
import type { SessionSnapshot } from './session-snapshot.ts'
import { isEnded, LIVE_STATUSES } from './session-state.ts'
import {
  DEFAULT_DEADLINES,
  Session,
  SessionNotRunning,
  type SessionDeadlines,
  type SessionServices,
} from './session.ts'
import { CapacityExceeded, Slots } from './slots.ts'
import { within } from './within.ts'

export interface SessionListArguments extends PageArguments {
  includeTerminated?: boolean | null
  filter?: SessionFilterInput | null
}

export interface SessionListPage {
  sessions: SessionSnapshot[]
  hasNextPage: boolean
  hasPreviousPage: boolean
  totalCount(): Promise<number>
}

export type StartWait = 'CREATING' | 'RUNNING' | 'LOADED'

export interface SessionHealth {
  status: 'HEALTHY' | 'UNRESPONSIVE' | 'ENDED'
  browserResponsive: boolean
  /** How long the browser took to answer; null when it did not. */
  latencyMs: number | null
  currentUrl: string | null
  uptimeMs: number
}

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
  deadlines?: SessionDeadlines
}

/** First and last of a page of sessions. */
export const SESSION_PAGE_BOUNDS = { min: 1, max: 100, default: 30 } as const

/** startSession answers after this long with the session as it stands. */
const START_WAIT_MS = 30_000
const HEALTH_TIMEOUT_MS = 1000
const TERMINATE_WAIT_MS = 30_000
const INSERT_TRIES = 3
const INSERT_PAUSE_MS = 100
const ELSEWHERE = 'The session does not live on this server.'

/** Starts sessions, finds them, ends them, and knows which live here. What is another owner's does not exist. */
export class SessionRegistry {
  readonly #changes = new SessionChanges()
  readonly #store: Store
  readonly #browsers: BrowserPool
  readonly #options: SessionRegistryOptions
  readonly #services: SessionServices
  readonly #logger: Logger
  readonly #slots: Slots
  readonly #live = new Map<string, Session>()
  #closing = false

  constructor(
    store: Store,
    browsers: BrowserPool,
    artifacts: Artifacts,
    bus: Bus,
    options: SessionRegistryOptions,
    logger: Logger,
  ) {
    this.#store = store
    this.#browsers = browsers
    this.#options = options
    this.#logger = logger
    this.#slots = new Slots(options.maxSessions, options.maxQueued)
    this.#services = {
      store,
      browsers,
      artifacts,
      limits: options.limits,
      deadlines: options.deadlines ?? DEFAULT_DEADLINES,
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
    const options = parseStartSession(input)
    const earlier = await this.#findStarted(owner, options)
    if (earlier) return this.#untilReached(earlier, waitUntil, signal)

    if (this.#closing) throw new CapacityExceeded(this.#secondsUntilASlot(), 'The server is shutting down.')
    const place = this.#slots.enter(() => this.#secondsUntilASlot())
    let session: Session
    try {
      const record = this.#newRecord(owner, options)
      const firstEntry: LogEntry<'STATUS_CHANGE'> = {
        kind: 'STATUS_CHANGE',
        sequence: 1,
        at: record.createdAt,
        data: { from: null, to: 'CREATING', endReason: null, error: null },
      }
      const outcome = await this.#insert(record, firstEntry)
      if (outcome.kind === 'exists') {
        place.leave()
        return await this.#untilReached(this.#sameStart(outcome.record, options), waitUntil, signal)
      }
      session = new Session(this.#services, record, [firstEntry], place)
    } catch (error) {
      place.leave()
      throw error
    }
    this.#live.set(session.id, session)
    void session.ended.then(() => this.#forget(session))
    const { viewport, userAgent, locale, extraHeaders } = options
    const timezone = options.timezone === null ? null : canonicalTimezone(options.timezone)
    void session.run(
      { viewport, userAgent, locale, timezone, extraHeaders, storageState: null, record: [] },
      options.initialPrompt,
    )
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

  async list(owner: string, args: SessionListArguments): Promise<SessionListPage> {
    const request = pageRequest(args, SESSION_PAGE_BOUNDS)
    const given = parseSessionFilter(args.filter, ['filter'])
    const filter: SessionFilter = given.status || args.includeTerminated ? given : { ...given, status: LIVE_STATUSES }
    const after = args.after == null ? null : decodeSessionCursor(owner, args.after, 'after')
    const before = args.before == null ? null : decodeSessionCursor(owner, args.before, 'before')
    const { records, hasMore } = await this.#store.listSessions({ owner, filter, after, before, ...request })
    const forward = request.direction === 'forward'
    return {
      sessions: records.map((record) => this.#snapshotOf(record)),
      hasNextPage: forward ? hasMore : before !== null,
      hasPreviousPage: forward ? after !== null || request.offset > 0 : hasMore,
      totalCount: () => this.#store.countSessions(owner, filter),
    }
  }

  /** Ends the session; one that has ended already stays as it ended. */
  async terminate(owner: string, sessionId: string): Promise<SessionSnapshot> {
    const found = await this.find(owner, sessionId)
    if (!found) throw new NotFound('session')
    const session = this.#live.get(sessionId)
    if (!session && !isEnded(found.status)) throw new SessionNotRunning(ELSEWHERE)
    // A store that is away holds up the final entry: then the session is told as it stands, and ends when it can.
    if (session) await within(session.end('TERMINATED'), TERMINATE_WAIT_MS)
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
  async health(snapshot: SessionSnapshot): Promise<SessionHealth> {
    const session = this.#live.get(snapshot.id)
    const { startedAt, currentUrl } = snapshot
    if (isEnded(snapshot.status)) {
      const uptimeMs = startedAt ? (snapshot.endedAt ?? startedAt) - startedAt : 0
      return { status: 'ENDED', browserResponsive: false, latencyMs: null, currentUrl, uptimeMs }
    }
    const latencyMs = (await session?.ping(HEALTH_TIMEOUT_MS)) ?? null
    const browserResponsive = latencyMs !== null
    // While it is being created there is no browser that could fail to answer.
    const status = browserResponsive || snapshot.status === 'CREATING' ? 'HEALTHY' : 'UNRESPONSIVE'
    return { status, browserResponsive, latencyMs, currentUrl, uptimeMs: startedAt ? Date.now() - startedAt : 0 }
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

  /** The log of a session that lives here. */
  liveLog(sessionId: string): SessionLog | null {
    return this.#live.get(sessionId)?.log ?? null
  }

  /** Ends every session as SERVER_SHUTDOWN; after the deadline their logs are given up. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true
    const abandon = setTimeout(() => {
      for (const session of this.#live.values()) session.log.abandon()
    }, deadlineMs)
    try {
      await Promise.all([...this.#live.values()].map((session) => session.end('SERVER_SHUTDOWN')))
    } finally {
      clearTimeout(abandon)
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
    await within(waitUntil === 'RUNNING' ? session.running : session.loaded, START_WAIT_MS, signal)
    return session.snapshot()
  }

  /** Says it again when the answer was lost: the store knows the row by its id, and else it would be nobody's. */
  async #insert(record: SessionRecord, firstEntry: LogEntry): Promise<InsertSessionOutcome> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#store.insertSession(record, [firstEntry])
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || tries === INSERT_TRIES) throw error
        await pause(INSERT_PAUSE_MS)
      }
    }
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

  #newRecord(owner: string, options: SessionOptions): SessionRecord {
    const now = Date.now()
    const { name, metadata, viewport, userAgent, locale, timezone, keepAlive } = options
    const { idleTimeoutSeconds, maxDurationSeconds, idempotencyKey } = options
    return {
      id: uuidv7(),
      owner,
      name,
      metadata,
      status: 'CREATING',
      endReason: null,
      error: null,
      viewport,
      userAgent,
      locale,
      timezone,
      keepAlive,
      idleTimeoutSeconds,
      maxDurationSeconds,
      machineId: this.#options.machineId,
      idempotencyKey,
      inputHash: idempotencyKey === null ? null : hashOfOptions(options),
      createdAt: now,
      startedAt: null,
      lastActivityAt: now,
      endedAt: null,
      currentUrl: null,
      title: null,
      navigationCount: 0,
      consoleMessageCount: 0,
      networkRequestCount: 0,
      actionCount: 0,
      screenshotCount: 0,
      cost: { inputTokens: 0, outputTokens: 0, usd: 0 },
      profileId: null,
      lastSequence: 1,
    }
  }

  /** When a slot may be free: a guess from what ends first, within what a client can be asked to wait. */
  #secondsUntilASlot(): number {
    const ends = [...this.#live.values()].map((session) => session.snapshot().expiresAt ?? Number.POSITIVE_INFINITY)
    const seconds = Math.ceil((Math.min(...ends) - Date.now()) / 1000)
    return Math.min(60, Math.max(1, seconds))
  }
}
