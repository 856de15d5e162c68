import { NO_HOLDER, type SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Logger } from 'pino'
import { answerOr, isEnded, SessionNotRunning } from '../kernel/session-state.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { HandleSet } from '../sessions/handle-set.ts'
import { findLive } from '../sessions/live-session.ts'
import type { Capacity, SessionDirectory, StartWait } from '../sessions/session-directory.ts'
import type { SessionHandle } from '../sessions/session-handle.ts'
import type { StartSessionInput } from '../sessions/input/session-input.ts'
import type { SessionListArguments, SessionListPage } from '../sessions/session-list.ts'
import type { RemoteSessions } from './remote-sessions.ts'
import { StartingSessionHandle, type StartingSessionOptions } from './starting-session-handle.ts'

/** The sessions of this process, whose handles are told apart from those of other machines. */
export interface LocalDirectory extends SessionDirectory {
  /** Those among them that are here. */
  ownHandles(sessionIds: readonly string[]): SessionHandle[]
}

export interface ClusteredDirectoryOptions {
  local: LocalDirectory
  remote: RemoteSessions
  store: StartingSessionOptions['store'] & Pick<Store, 'findSessions'>
  bus: Pick<Bus, 'subscribe' | 'publish'>
  machineId: string
  logger: Logger
}

/** All sessions of the installation: those of other machines have remote handles. */
export class ClusteredSessionDirectory implements SessionDirectory {
  readonly #options: ClusteredDirectoryOptions
  readonly #local: LocalDirectory

  constructor(options: ClusteredDirectoryOptions) {
    this.#options = options
    this.#local = options.local
  }

  async start(
    owner: string,
    input: StartSessionInput | null | undefined,
    waitUntil: StartWait,
    signal: AbortSignal,
  ): Promise<SessionSnapshot> {
    // Any machine may start it; a start that was repeated may be a session of any machine.
    const started = await this.#local.start(owner, input, 'CREATING', signal)
    if (waitUntil === 'CREATING' || isEnded(started.status)) return started
    const handle = started.status === 'CREATING' ? this.#starting(started) : await this.handle(started.id)
    const now = async () => (await this.find(owner, started.id)) ?? started
    return handle ? answerOr(handle.reached(waitUntil, signal), now) : now()
  }

  find(owner: string, sessionId: string): Promise<SessionSnapshot | null> {
    return this.#local.find(owner, sessionId)
  }

  list(owner: string, args: SessionListArguments, signal: AbortSignal): Promise<SessionListPage> {
    return this.#local.list(owner, args, signal)
  }

  changes(
    owner: string,
    sessionId: string | null,
    signal: AbortSignal,
  ): Promise<AsyncIterableIterator<SessionSnapshot, undefined>> {
    return this.#local.changes(owner, sessionId, signal)
  }

  capacity(): Promise<Capacity> {
    return this.#local.capacity()
  }

  async handle(sessionId: string): Promise<SessionHandle | null> {
    const here = await this.#local.handle(sessionId)
    if (here) return here
    const record = await this.#options.store.findSession(sessionId)
    if (record?.status === 'CREATING') return this.#starting(record)
    return record && this.#isElsewhere(record) ? this.#options.remote.handle(record) : null
  }

  async requireHandle(owner: string, sessionId: string): Promise<SessionHandle> {
    const handle = await findLive(this, owner, sessionId)
    if (!handle) throw new SessionNotRunning()
    return handle
  }

  async findRunning(sessionId: string): Promise<SessionHandle | null> {
    const here = await this.#local.handle(sessionId)
    if (here) return this.#local.findRunning(sessionId)
    const record = await this.#options.store.findSession(sessionId)
    const isRunning = record?.status === 'RUNNING' && this.#isElsewhere(record)
    return isRunning ? this.#options.remote.handle(record) : null
  }

  async handles(sessionIds: readonly string[]): Promise<HandleSet> {
    const { store, remote, logger } = this.#options
    const here = this.#local.ownHandles(sessionIds)
    const known = new Set(here.map(({ sessionId }) => sessionId))
    const others = sessionIds.filter((id) => !known.has(id))
    const records = others.length === 0 ? [] : await store.findSessions(others)
    const waiting = records.filter((record) => record.status === 'CREATING' && record.machineId === NO_HOLDER.machineId)
    const sets = remote.sets(records.filter((record) => this.#isElsewhere(record)))
    return new HandleSet([...here, ...waiting.map((record) => this.#starting(record))], logger, undefined, sets)
  }

  #starting(record: SessionRecord): StartingSessionHandle {
    const { store, bus, remote } = this.#options
    const handleOf = async (now: SessionRecord) =>
      (await this.#local.handle(now.id)) ?? (this.#isElsewhere(now) ? remote.handle(now) : null)
    const saveUpload = remote.saveUpload.bind(remote)
    return new StartingSessionHandle(record, { store, bus, handleOf, saveUpload })
  }

  /** One that should be here, and is not, has ended or is about to. */
  #isElsewhere({ status, machineId }: SessionRecord): boolean {
    const isHeld = machineId !== NO_HOLDER.machineId
    return !isEnded(status) && isHeld && machineId !== this.#options.machineId
  }
}
