import { Readable } from 'node:stream'
import { Deadline } from '../../async/deadline.ts'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { BrowserVersion, PageState } from '../../ports/browser/browser.ts'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { PageFrames } from '../../ports/browser/live-view.ts'
import type { LogEntry, PendingRequest } from '../../ports/log/log-entry.ts'
import type { ProfileDescription } from '../../ports/sessions/profile.ts'
import type { LogHead } from '../../ports/store/store.ts'
import type { TaskRecord } from '../../ports/tasks/task.ts'
import { observePage, runActions } from '../actions/actions.ts'
import { dispatchInput, watchPage } from '../actions/live-view.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { SAVE_SECONDS, type Profiles } from '../profiles/profiles.ts'
import type { Session } from '../session/session.ts'
import type { SessionChange } from '../sessions/input/session-input.ts'
import { healthOf, type SessionHealth } from '../sessions/session-health.ts'
import type {
  AttachedClient,
  GivenActions,
  GivenInput,
  GivenObservation,
  GivenUpload,
  GivenWatch,
  ObservedPage,
  SessionHandle,
} from '../sessions/session-handle.ts'
import type { AgentTasks } from '../tasks/agent-tasks.ts'

/** startSession responds after this long with the session's current state. */
const REACH_WAIT_MS = 30_000
const TERMINATE_WAIT_MS = 30_000

/** The handle of a session of this process. */
export class LocalSessionHandle implements SessionHandle {
  readonly session: Session
  readonly #tasks: AgentTasks
  readonly #profiles: Profiles

  constructor(session: Session, tasks: AgentTasks, profiles: Profiles) {
    this.session = session
    this.#tasks = tasks
    this.#profiles = profiles
  }

  get sessionId(): string {
    return this.session.id
  }

  get owner(): string {
    return this.session.owner
  }

  async snapshot(): Promise<SessionSnapshot> {
    return this.session.snapshot()
  }

  async reached(state: 'RUNNING' | 'LOADED', signal: AbortSignal): Promise<SessionSnapshot> {
    await Deadline.isMet(state === 'RUNNING' ? this.session.running : this.session.loaded, REACH_WAIT_MS, signal)
    return this.session.snapshot()
  }

  act(given: GivenActions, signal: AbortSignal): Promise<LogEntry<'ACTION'>[]> {
    return runActions(this.session, given, signal)
  }

  observe(given: GivenObservation, signal: AbortSignal): Promise<ObservedPage> {
    return observePage(this.session, given, signal)
  }

  async update(change: Partial<SessionChange>): Promise<SessionSnapshot> {
    await this.session.update(change)
    return this.session.snapshot()
  }

  async end(): Promise<void> {
    // An unavailable store delays the final entry: then the current state is returned, and the session ends later.
    await Deadline.isMet(this.session.end('TERMINATED'), TERMINATE_WAIT_MS)
  }

  health(): Promise<SessionHealth> {
    return healthOf(this.session.snapshot(), (timeoutMs) => this.session.ping(timeoutMs))
  }

  async pages(): Promise<PageState[]> {
    return this.session.pages()
  }

  async pendingRequests(limit: number): Promise<PendingRequest[]> {
    return this.session.pendingRequests(limit)
  }

  async logHead(): Promise<LogHead> {
    return this.session.log.head
  }

  async logTail(after: number, limit: number, maxBytes: number): Promise<LogEntry[] | null> {
    return this.session.log.readTail(after, limit, maxBytes)
  }

  watch(given: GivenWatch, signal: AbortSignal): Promise<PageFrames> {
    return watchPage(this.session, given, signal)
  }

  dispatchInput(given: GivenInput, signal: AbortSignal): Promise<boolean> {
    return dispatchInput(this.session, given, signal)
  }

  browserVersion(): Promise<BrowserVersion> {
    return this.session.browserVersion()
  }

  attachClient(name: string, client: CdpClient): Promise<AttachedClient> {
    return this.session.attachClient(name, client)
  }

  startTask(input: unknown): Promise<TaskRecord> {
    return this.#tasks.start(this.session, input)
  }

  cancelTask(taskId: string): Promise<TaskRecord> {
    return this.#tasks.cancel(this.session.id, taskId)
  }

  saveUpload(file: GivenUpload, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ArtifactRecord> {
    const upload = { ...file, kind: 'UPLOAD', pageId: null } as const
    const bytes = content instanceof Readable ? content : Readable.from(content, { objectMode: false })
    return this.session.saveArtifact(upload, bytes, signal)
  }

  async saveProfile(name: string, signal: AbortSignal): Promise<ProfileDescription> {
    using deadline = new Deadline(SAVE_SECONDS * 1000, [signal])
    const state = await this.session.actions.storageState(deadline.signal)
    return await this.#profiles.save(this.session.owner, name, state)
  }
}
