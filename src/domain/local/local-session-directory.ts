import type { Logger } from 'pino'
import type { BrowserPool } from '../../ports/browser/browser.ts'
import { ownedBy } from '../../fault-owner.ts'
import { StoreUnavailable } from '../../ports/store/store-errors.ts'
import { NO_HOLDER, type SessionHolder, type SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Store } from '../../ports/store/store.ts'
import type { EgressPolicy } from '../../ports/egress/egress.ts'
import type { LogEntry } from '../../ports/log/log-entry.ts'
import type { Json } from '../../ports/base/json.ts'
import { captureOf } from '../sessions/input/capture-input.ts'
import { policyOf, policyOfShown } from '../sessions/input/egress-input.ts'
import { BadUserInput, NotFound } from '../kernel/errors.ts'
import { hashOfOptions } from '../sessions/input/idempotency.ts'
import { readInitialPrompt } from '../sessions/input/initial-prompt.ts'
import { refusePageAddress } from '../kernel/navigation-policy.ts'
import {
  browserOptionsOf,
  firstEntryOf,
  insertNewSession,
  newSessionRecord,
  requireRecordings,
} from '../sessions/input/new-session.ts'
import { DEFAULT_DEADLINES } from '../session/browser-lease.ts'
import { SessionChanges } from '../sessions/session-changes.ts'
import { HandleSet } from '../sessions/handle-set.ts'
import type { Capacity, SessionDirectory, StartWait } from '../sessions/session-directory.ts'
import type { SessionHandle } from '../sessions/session-handle.ts'
import { parseStartSession, type SessionOptions, type StartSessionInput } from '../sessions/input/session-input.ts'
import { redactionOf } from '../sessions/input/redaction-input.ts'
import { listSessions, type SessionListArguments, type SessionListPage } from '../sessions/session-list.ts'
import { findLive } from '../sessions/live-session.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { isEnded, SessionNotRunning } from '../kernel/session-state.ts'
import type { SessionServices } from '../session/session-services.ts'
import { Session } from '../session/session.ts'
import { CapacityQueue, retrySeconds, ServerDraining, type Place } from '../kernel/capacity-queue.ts'
import { requireSpace } from '../artifacts/storage-space.ts'
import type { LeasedSessions } from '../machines/machines.ts'
import type { LocalSessionsOptions } from './local-sessions-options.ts'
import { LocalSessionHandle } from './local-session-handle.ts'
import { heldStore, QueuedStarts } from './queued-starts.ts'
import { RemoteChanges, type RemoteWatch } from './remote-changes.ts'
import { SessionFaults } from './session-faults.ts'
import { UndecidedStarts } from './undecided-starts.ts'

/** What a session is started with, apart from its row. */
interface Start {
  options: SessionOptions
  policy: EgressPolicy
  storageState: Json
}

/** Share of the sessions' shutdown time for everything except the rest of their logs. */
const SESSIONS_SHARE = 0.7

/** The sessions of one process, and the rows of all others. */
export class LocalSessionDirectory implements SessionDirectory, LeasedSessions {
  readonly #changes = new SessionChanges()
  readonly #store: Store
  readonly #browsers: BrowserPool
  readonly #options: LocalSessionsOptions
  readonly #services: SessionServices
  readonly #logger: Logger
  readonly #slots: CapacityQueue
  readonly #live = new Map<string, LocalSessionHandle>()
  readonly #undecided: UndecidedStarts
  readonly #remote: RemoteChanges
  /** Null: sessions of this machine are started here, or nowhere. */
  readonly #queued: QueuedStarts | null
  #closing = false

  constructor(options: LocalSessionsOptions) {
    const { store, browsers, artifacts, bodies, bus, machine, logger } = options
    this.#store = store
    this.#browsers = browsers
    this.#options = options
    this.#logger = logger
    this.#slots = new CapacityQueue(options.maxSessions, options.maxQueued)
    const announce = (record: SessionRecord) => this.#changes.announce(this.#snapshotOf(record))
    this.#undecided = new UndecidedStarts(store, announce, logger)
    const isHere = (sessionId: string) => this.#live.has(sessionId)
    const { machineId } = machine.identity
    const hasOthers = () => machine.hasOthers || this.#queued !== null
    this.#remote = new RemoteChanges({ store, bus, machineId, isHere, hasOthers, announce, logger })
    this.#services = {
      store,
      browsers,
      artifacts,
      bodies,
      limits: options.limits,
      har: options.har,
      refuseAddress: (url, egress) => refusePageAddress(url, policyOfShown(egress, options.egress)),
      deadlines: { ...DEFAULT_DEADLINES, ...options.deadlines },
      logger,
      publish: (sessionId) => bus.publish(sessionId),
      announce: (snapshot) => this.#changes.announce(snapshot),
    }
    const { startCipher: cipher, maxQueued } = options
    const queue = { store, bus, slots: this.#slots, maxQueued, machine, isHere, announce, logger }
    this.#queued = cipher
      ? new QueuedStarts({
          ...queue,
          cipher,
          warm: () => browsers.warmCount(),
          requireSpace: async () => {
            await options.requireSpace?.()
            requireSpace([browsers])
          },
          launch: (...claimed) => this.#launchClaimed(...claimed),
        })
      : null
  }

  /** From now on this machine takes part in starting queued sessions, if it is one of several. */
  claimStarts(): void {
    this.#queued?.claims.open()
  }

  async start(
    owner: string,
    input: StartSessionInput | null | undefined,
    waitUntil: StartWait,
    signal: AbortSignal,
  ): Promise<SessionSnapshot> {
    const options = parseStartSession(input, this.#options.egress)
    const policy = policyOf(options, this.#options.egress)
    this.#requireMeans(options)
    const earlier = await this.#findStarted(owner, options)
    if (earlier) return this.#untilReached(earlier, waitUntil, signal)

    await this.#options.requireSpace?.()
    const profile = options.profileId === null ? null : await this.#options.profiles.open(owner, options.profileId)
    requireSpace([this.#browsers])
    if (this.#queued && this.#slots.isDraining) throw new ServerDraining()
    const place = this.#queued ? null : this.#slots.enter(() => this.#secondsUntilASlot())
    const { captureBodies, machine, redact } = this.#options
    const recording = {
      capture: captureOf(options.capture, captureBodies),
      redact: redactionOf(options.redact, redact),
    }
    const holder = this.#queued ? NO_HOLDER : machine.identity
    const record = newSessionRecord(owner, options, profile?.id ?? null, policy, recording, holder)
    const firstEntry = firstEntryOf(record)
    try {
      const outcome = this.#queued
        ? await this.#queued.add(record, firstEntry, input ?? {})
        : await insertNewSession(this.#store, record, firstEntry)
      if (outcome.kind === 'exists') {
        place?.leave()
        return await this.#untilReached(this.#sameStart(outcome.record, options), waitUntil, signal)
      }
    } catch (error) {
      place?.leave()
      if (error instanceof StoreUnavailable) this.#undecided.add(record)
      throw error
    }
    const start = { options, policy, storageState: profile?.state ?? null }
    if (place) await this.#launch(record, [firstEntry], start, place, this.#services)
    return this.#untilReached(this.#snapshotOf(record), waitUntil, signal)
  }

  /** Throws if this machine cannot make the recordings, or has no model for the task. */
  #requireMeans({ record, initialPrompt }: SessionOptions): void {
    requireRecordings(record, this.#browsers.unavailableRecordings())
    const initial = initialPrompt === null ? null : readInitialPrompt(initialPrompt)
    if (initial?.kind === 'TASK') this.#options.tasks.requireModel()
  }

  /** Throws as `start` does. */
  async #launchClaimed(
    record: SessionRecord,
    input: StartSessionInput,
    holder: SessionHolder,
    place: Place,
    waitedMs: number,
  ): Promise<void> {
    const options = parseStartSession(input, this.#options.egress)
    const policy = policyOf(options, this.#options.egress)
    // The machine that was asked may have what this one lacks.
    this.#requireMeans(options)
    const { profileId } = options
    const profile = profileId === null ? null : await this.#options.profiles.open(record.owner, profileId)
    const start = { options, policy, storageState: profile?.state ?? null }
    const services = { ...this.#services, store: heldStore(this.#store, holder), waitedMs }
    // Others are entries of a machine that was lost before the session ran: they are in the store.
    const entries = record.lastSequence === 1 ? [firstEntryOf(record)] : []
    await this.#launch(record, entries, start, place, services)
  }

  /** Resolves when the session is live here. Rejects if its initial task cannot be stored: then it ends. */
  async #launch(
    record: SessionRecord,
    entries: readonly LogEntry[],
    { options, policy, storageState }: Start,
    place: Place,
    services: SessionServices,
  ): Promise<void> {
    const initial = options.initialPrompt === null ? null : readInitialPrompt(options.initialPrompt)
    const faults = new SessionFaults()
    let session: Session
    try {
      session = ownedBy(faults, () => new Session(services, record, entries, place))
      faults.of(session)
    } catch (error) {
      place.leave()
      throw error
    }
    this.#live.set(session.id, new LocalSessionHandle(session, this.#options.tasks, this.#options.profiles))
    void session.ended.then(() => this.#forget(session))
    if (initial?.kind === 'TASK') await ownedBy(faults, () => this.#startInitialTask(session, initial.prompt))
    const capture = captureOf(options.capture, this.#options.captureBodies)
    const browserOptions = browserOptionsOf(options, storageState, policy, capture)
    const firstUrl = initial?.kind === 'URL' ? initial.url : null
    const savesHar = options.record.includes('HAR')
    void ownedBy(faults, () => session.run(browserOptions, firstUrl, options.screenshot, savesHar))
    this.#changes.announce(session.snapshot())
    // A shutdown meanwhile has already ended the sessions that existed then.
    if (this.#closing) void (this.#handBack(session) ?? session.end('SERVER_SHUTDOWN'))
    this.#loseUnlessLeased(session, 'The server lost its lease while the session was started.')
  }

  async find(owner: string, sessionId: string): Promise<SessionSnapshot | null> {
    const live = this.#live.get(sessionId)?.session
    if (live) return live.owner === owner ? live.snapshot() : null
    const record = await this.#store.findSession(sessionId)
    return record?.owner === owner ? this.#snapshotOf(record) : null
  }

  list(owner: string, args: SessionListArguments, signal: AbortSignal): Promise<SessionListPage> {
    return listSessions(this.#store, owner, args, (record) => this.#snapshotOf(record), signal)
  }

  async handle(sessionId: string): Promise<SessionHandle | null> {
    return this.#live.get(sessionId) ?? null
  }

  async requireHandle(owner: string, sessionId: string): Promise<SessionHandle> {
    const handle = await findLive(this, owner, sessionId)
    if (!handle) throw new SessionNotRunning()
    return handle
  }

  async findRunning(sessionId: string): Promise<SessionHandle | null> {
    const handle = this.#live.get(sessionId)
    return handle?.session.isRunning ? handle : null
  }

  async handles(sessionIds: readonly string[]): Promise<HandleSet> {
    return new HandleSet(this.ownHandles(sessionIds), this.#logger)
  }

  /** The handles of those that are live in this process. */
  ownHandles(sessionIds: readonly string[]): SessionHandle[] {
    return sessionIds.flatMap((id) => this.#live.get(id) ?? [])
  }

  async capacity(): Promise<Capacity> {
    const own = this.ownCapacity()
    const total = this.#options.machine.totalCapacity(this.#slots.isDraining ? { ...own, total: own.live } : own)
    if (!this.#queued) return total
    return { ...total, queued: total.queued + (await this.#store.countWaitingStarts()) }
  }

  ownCapacity(): Capacity {
    const { total, live, queued } = this.#slots
    return { total, live, queued, warm: this.#browsers.warmCount() }
  }

  loseAll(error: string): void {
    for (const { session } of this.#live.values()) this.#loseUnlessLeased(session, error)
  }

  async changes(
    owner: string,
    sessionId: string | null,
    signal: AbortSignal,
  ): Promise<AsyncIterableIterator<SessionSnapshot>> {
    const found = sessionId === null ? null : await this.find(owner, sessionId)
    if (sessionId !== null && !found) throw new NotFound('session')
    const isRemote = sessionId !== null && !this.#live.has(sessionId) && found && !isEnded(found.status)
    let watch: RemoteWatch | null = null
    const now = async () => {
      if (sessionId === null) watch = this.#remote.owner(owner)
      else if (isRemote) watch = this.#remote.session(sessionId)
      const remote = (await watch?.look()) ?? []
      if (sessionId === null) return [...(await this.#allLive(owner)), ...remote.map((one) => this.#snapshotOf(one))]
      const snapshot = await this.find(owner, sessionId)
      return snapshot ? [snapshot] : []
    }
    return this.#changes.follow(owner, sessionId, now, signal, () => watch?.close())
  }

  /** No session is started any more, except those in the queue. Resolves when the last one has ended. */
  drain(): Promise<void> {
    return this.#slots.drain()
  }

  /**
   * Ends every session as SERVER_SHUTDOWN. Sessions get most of the time; then logs that are far behind only count
   * their remaining entries, so that each can commit its end; after the deadline, logs whose store is unavailable are
   * abandoned.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true
    void this.#slots.drain()
    const sessionsMs = deadlineMs * SESSIONS_SHARE
    const until = performance.now() + sessionsMs
    const live = () => this.#live.values()
    const timers = [
      setTimeout(() => live().forEach(({ session }) => session.log.cutShort()), sessionsMs),
      setTimeout(() => live().forEach(({ session }) => session.log.abandon()), deadlineMs),
    ]
    try {
      await this.#queued?.close()
      const ending = [...live()].map(({ session }) => this.#handBack(session) ?? session.shutDown(until))
      await Promise.all([this.#undecided.close(), ...ending])
    } finally {
      timers.forEach(clearTimeout)
    }
  }

  /** What is done with the session from here on would be nobody's: another server ends it, or has. */
  #loseUnlessLeased(session: Session, error: string): void {
    const { machineEpoch } = this.#options.machine.identity
    if (session.snapshot().machineEpoch === machineEpoch) return
    void (this.#handBack(session) ?? session.end('MACHINE_LOST', error))
  }

  /** Leaves a session that does not run yet to another machine. Null: it runs, or no other machine would start it. */
  #handBack(session: Session): Promise<void> | null {
    if (!this.#queued || !session.handBack()) return null
    const { release } = this.#queued.claims
    return session.ended.then(() => release(session.id, session.snapshot()))
  }

  /** Without its task the session has no purpose: it fails if the task cannot be stored. */
  async #startInitialTask(session: Session, prompt: string): Promise<void> {
    try {
      await this.#options.tasks.startInitial(session, prompt)
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
    const live = this.#live.get(record.id)?.session
    return live?.snapshot() ?? { ...record, pendingRequestCount: 0, expiresAt: null }
  }

  async #allLive(owner: string): Promise<SessionSnapshot[]> {
    return [...this.#live.values()].filter((one) => one.owner === owner).map(({ session }) => session.snapshot())
  }

  async #untilReached(started: SessionSnapshot, waitUntil: StartWait, signal: AbortSignal): Promise<SessionSnapshot> {
    const handle = this.#live.get(started.id)
    if (!handle) return started
    return waitUntil === 'CREATING' ? handle.snapshot() : handle.reached(waitUntil, signal)
  }

  async #forget(session: Session): Promise<void> {
    this.#live.delete(session.id)
    void this.#queued?.claims.look()
    const snapshot = session.snapshot()
    if (isEnded(snapshot.status)) return
    // Its log was lost, so only the store may know how it ended.
    try {
      const record = await this.#store.findSession(session.id)
      if (record) this.#changes.announce(this.#snapshotOf(record))
    } catch (error) {
      this.#logger.error({ err: error, sessionId: session.id }, 'the end of a session could not be read')
    }
  }

  /** When a slot may be free: an estimate from the sessions that end first, see retrySeconds. */
  #secondsUntilASlot(): number {
    const ends = [...this.#live.values()].map(({ session }) => session.snapshot().expiresAt ?? Number.POSITIVE_INFINITY)
    return retrySeconds(Math.min(...ends) - Date.now())
  }
}
