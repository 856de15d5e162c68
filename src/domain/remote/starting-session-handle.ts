import { Readable } from 'node:stream'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { PageState } from '../../ports/browser/browser.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import type { PageFrames } from '../../ports/browser/live-view.ts'
import type { LogEntry, PendingRequest } from '../../ports/log/log-entry.ts'
import { NO_HOLDER, type SessionRecord } from '../../ports/sessions/session-record.ts'
import type { LogHead, Store } from '../../ports/store/store.ts'
import { Deadline } from '../../async/deadline.ts'
import { NotFound, TabwireError } from '../kernel/errors.ts'
import { answerOr, isEnded, saysEnded, SessionNotRunning } from '../kernel/session-state.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { healthOf, type SessionHealth } from '../sessions/session-health.ts'
import type { SessionChange } from '../sessions/input/session-input.ts'
import type {
  GivenActions,
  GivenInput,
  GivenObservation,
  GivenUpload,
  GivenWatch,
  ObservedPage,
  SessionHandle,
} from '../sessions/session-handle.ts'
import { endWaiting, type WaitingStore } from '../starts/end-waiting.ts'
import { MachineUnreachable } from './machine-unreachable.ts'
import { SessionNews } from './session-news.ts'

export interface StartingSessionOptions {
  store: WaitingStore & Pick<Store, 'findSession' | 'patchSession' | 'deleteStarts'>
  bus: Pick<Bus, 'subscribe' | 'publish'>
  /** The handle on the session's machine. Null: it is not there yet, or not any more. */
  handleOf(record: SessionRecord): Promise<SessionHandle | null>
  /** Saves an upload of a session that has ended. */
  saveUpload(
    session: SessionRecord,
    file: GivenUpload,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<ArtifactRecord>
}

/** How long a call waits for a machine: as long as startSession. */
const WAIT_MS = 30_000

/** No machine had a slot in time. */
class StartTimeout extends TabwireError {
  override readonly code = 'TIMEOUT'
}

const NEVER = new AbortController().signal

/**
 * The handle of a session that waits for a machine, or that a machine is about to start: calls that need a browser wait
 * for it, all others go by the session's row until a machine has it.
 */
export class StartingSessionHandle implements SessionHandle {
  readonly sessionId: string
  readonly owner: string
  readonly #options: StartingSessionOptions

  constructor({ id, owner }: SessionRecord, options: StartingSessionOptions) {
    this.sessionId = id
    this.owner = owner
    this.#options = options
  }

  snapshot(): Promise<SessionSnapshot> {
    return this.#known((handle) => handle.snapshot(), snapshotOf)
  }

  async reached(state: 'RUNNING' | 'LOADED', signal: AbortSignal): Promise<SessionSnapshot> {
    using deadline = new Deadline(WAIT_MS, [signal])
    using news = new SessionNews(this.#options.bus, this.sessionId)
    for (;;) {
      const record = await this.#find()
      if (isEnded(record.status) || deadline.signal.aborted) return snapshotOf(record)
      const handle = await this.#options.handleOf(record)
      // A machine that is lost meanwhile leaves the session to another one.
      const reached = handle && (await unlessGone(handle.reached(state, deadline.signal)))
      if (reached && reached.status !== 'CREATING') return reached
      await news.next(deadline.signal)
    }
  }

  act(given: GivenActions, signal: AbortSignal): Promise<LogEntry<'ACTION'>[]> {
    return this.#started((handle) => handle.act(given, signal), signal)
  }

  observe(given: GivenObservation, signal: AbortSignal): Promise<ObservedPage> {
    return this.#now((handle) => handle.observe(given, signal))
  }

  async update(change: Partial<SessionChange>): Promise<SessionSnapshot> {
    const { store, bus } = this.#options
    return await this.#placed(NEVER, {
      waiting: async (record) => {
        const patch = { ...change, lastActivityAt: Date.now() }
        if (!(await store.patchSession(record.id, patch, NO_HOLDER))) return null
        bus.publish(record.id)
        return await this.snapshot()
      },
      held: (handle) => handle.update(change),
    })
  }

  async end(): Promise<void> {
    const { store, bus } = this.#options
    const ended = this.#placed(NEVER, {
      waiting: async (record) => {
        const end = { status: 'CLOSED', endReason: 'TERMINATED', error: null } as const
        if (!(await endWaiting(store, record, end))) return null
        bus.publish(record.id)
        await store.deleteStarts()
        return true
      },
      held: (handle) => unlessGone(handle.end().then(() => true)),
    })
    // Somebody else may have ended it.
    await answerOr(ended, () => true)
  }

  health(): Promise<SessionHealth> {
    return this.#known(
      (handle) => handle.health(),
      (record) => healthOf(snapshotOf(record), async () => null),
    )
  }

  pages(): Promise<PageState[]> {
    return this.#known(
      (handle) => handle.pages(),
      () => [],
    )
  }

  pendingRequests(limit: number): Promise<PendingRequest[]> {
    return this.#known(
      (handle) => handle.pendingRequests(limit),
      () => [],
    )
  }

  logHead(): Promise<LogHead> {
    return this.#known(
      (handle) => handle.logHead(),
      ({ lastSequence, status }) => ({ lastSequence, ended: isEnded(status) }),
    )
  }

  logTail(after: number, limit: number, maxBytes: number): Promise<LogEntry[] | null> {
    return this.#known(
      (handle) => handle.logTail(after, limit, maxBytes),
      () => null,
    )
  }

  watch(given: GivenWatch, signal: AbortSignal): Promise<PageFrames> {
    return this.#started((handle) => handle.watch(given, signal), signal)
  }

  dispatchInput(given: GivenInput, signal: AbortSignal): Promise<boolean> {
    return this.#started((handle) => handle.dispatchInput(given, signal), signal)
  }

  browserVersion(): ReturnType<SessionHandle['browserVersion']> {
    return this.#now((handle) => handle.browserVersion())
  }

  attachClient(...given: Parameters<SessionHandle['attachClient']>): ReturnType<SessionHandle['attachClient']> {
    return this.#now((handle) => handle.attachClient(...given))
  }

  startTask(input: unknown): ReturnType<SessionHandle['startTask']> {
    return this.#now((handle) => handle.startTask(input))
  }

  cancelTask(taskId: string): ReturnType<SessionHandle['cancelTask']> {
    return this.#now((handle) => handle.cancelTask(taskId))
  }

  async saveUpload(
    file: GivenUpload,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    // It may fail while the session waits.
    if (content instanceof Readable) content.on('error', () => {})
    let isRead = false
    const given = this.#started((handle) => {
      isRead = true
      return handle.saveUpload(file, content, signal)
    }, signal)
    try {
      return await answerOr(given, async () => {
        const record = await this.#find()
        if (isRead || !isEnded(record.status)) throw new SessionNotRunning()
        isRead = true
        return this.#options.saveUpload(record, file, content, signal)
      })
    } finally {
      if (!isRead && content instanceof Readable) content.destroy()
    }
  }

  saveProfile(...given: Parameters<SessionHandle['saveProfile']>): ReturnType<SessionHandle['saveProfile']> {
    return this.#now((handle) => handle.saveProfile(...given))
  }

  /** What its machine knows, or else what follows from its row. */
  async #known<T>(
    ask: (handle: SessionHandle) => Promise<T>,
    otherwise: (record: SessionRecord) => T | Promise<T>,
  ): Promise<T> {
    const record = await this.#find()
    const handle = isEnded(record.status) ? null : await this.#options.handleOf(record)
    const known = handle && (await unlessGone(ask(handle)))
    return known ?? (await otherwise(handle ? await this.#find() : record))
  }

  /** For calls that a session of this machine refuses as well until it runs. */
  async #now<T>(call: (handle: SessionHandle) => Promise<T>): Promise<T> {
    const record = await this.#find()
    const handle = isEnded(record.status) ? null : await this.#options.handleOf(record)
    if (!handle) throw new SessionNotRunning(isEnded(record.status) ? undefined : 'The session does not run yet.')
    return await call(handle)
  }

  /** For calls that wait until the session runs. */
  async #started<T>(call: (handle: SessionHandle) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { status } = await this.reached('RUNNING', signal)
    if (status === 'CREATING') {
      signal.throwIfAborted()
      throw new StartTimeout('The session did not start within 30 s: no machine had a slot.')
    }
    // Also after the signal: what it cancels then, the session says.
    return await this.#now(call)
  }

  /** The first result of the two that is not null. */
  async #placed<T>(
    signal: AbortSignal,
    {
      waiting,
      held,
    }: Record<'waiting', (record: SessionRecord) => Promise<T | null>> &
      Record<'held', (handle: SessionHandle) => Promise<T | null>>,
  ): Promise<T> {
    using deadline = new Deadline(WAIT_MS, [signal])
    using news = new SessionNews(this.#options.bus, this.sessionId)
    for (;;) {
      const record = await this.#find()
      if (isEnded(record.status)) throw new SessionNotRunning()
      const handle = await this.#options.handleOf(record)
      const result = record.machineId === NO_HOLDER.machineId ? await waiting(record) : handle && (await held(handle))
      if (result !== null) return result
      if (deadline.signal.aborted) throw new StartTimeout('The session is being moved between machines. Try again.')
      await news.next(deadline.signal)
    }
  }

  async #find(): Promise<SessionRecord> {
    const record = await this.#options.store.findSession(this.sessionId)
    if (!record) throw new NotFound('session')
    return record
  }
}

/** The result, or null if the session is not on that machine, or the machine is gone. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (saysEnded(error) || error instanceof MachineUnreachable) return null
    throw error
  }
}

/** While it is CREATING it can only exceed its maximum duration. */
function snapshotOf(record: SessionRecord): SessionSnapshot {
  const { status, createdAt, startedAt, maxDurationSeconds } = record
  const expiresAt = status === 'CREATING' ? (startedAt ?? createdAt) + maxDurationSeconds * 1000 : null
  return { ...record, pendingRequestCount: 0, expiresAt }
}
