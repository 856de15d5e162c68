import { Readable } from 'node:stream'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { BrowserVersion, PageState } from '../../ports/browser/browser.ts'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { PageFrames } from '../../ports/browser/live-view.ts'
import type { LogEntry, PendingRequest } from '../../ports/log/log-entry.ts'
import type { ProfileDescription } from '../../ports/sessions/profile.ts'
import type { LogHead } from '../../ports/store/store.ts'
import type { TaskRecord } from '../../ports/tasks/task.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { answerOr } from '../kernel/session-state.ts'
import type { SessionHealth } from '../sessions/session-health.ts'
import type { SessionChange } from '../sessions/input/session-input.ts'
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
import { closeContent, type ChannelCalls } from './channel-calls.ts'
import type { HandleMethod } from './handle-methods.ts'

/** The way to a session of another machine. Calls reject with MachineUnreachable. */
export interface SessionLink {
  readonly sessionId: string
  readonly owner: string
  /** Calls a member of its handle. */
  ask<T>(method: HandleMethod, args: readonly unknown[], signal?: AbortSignal): Promise<T>
  /** Opens a connection for one call. */
  open(): Promise<ChannelCalls>
  /** Saves an upload of a session that has ended. */
  saveUpload(file: GivenUpload, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ArtifactRecord>
}

/** The handle of a session of another machine. Also throws MachineUnreachable. */
export class RemoteSessionHandle implements SessionHandle {
  readonly #link: SessionLink

  constructor(link: SessionLink) {
    this.#link = link
  }

  get sessionId(): string {
    return this.#link.sessionId
  }

  get owner(): string {
    return this.#link.owner
  }

  snapshot(): Promise<SessionSnapshot> {
    return this.#link.ask('snapshot', [])
  }

  reached(state: 'RUNNING' | 'LOADED', signal: AbortSignal): Promise<SessionSnapshot> {
    return this.#link.ask('reached', [state], signal)
  }

  act(given: GivenActions, signal: AbortSignal): Promise<LogEntry<'ACTION'>[]> {
    return this.#link.ask('act', [given], signal)
  }

  observe(given: GivenObservation, signal: AbortSignal): Promise<ObservedPage> {
    return this.#link.ask('observe', [given], signal)
  }

  update(change: Partial<SessionChange>): Promise<SessionSnapshot> {
    return this.#link.ask('update', [change])
  }

  async end(): Promise<void> {
    await this.#link.ask('end', [])
  }

  health(): Promise<SessionHealth> {
    return this.#link.ask('health', [])
  }

  pages(): Promise<PageState[]> {
    return this.#link.ask('pages', [])
  }

  pendingRequests(limit: number): Promise<PendingRequest[]> {
    return this.#link.ask('pendingRequests', [limit])
  }

  logHead(): Promise<LogHead> {
    return this.#link.ask('logHead', [])
  }

  logTail(after: number, limit: number, maxBytes: number): Promise<LogEntry[] | null> {
    return this.#link.ask('logTail', [after, limit, maxBytes])
  }

  dispatchInput(given: GivenInput, signal: AbortSignal): Promise<boolean> {
    return this.#link.ask('dispatchInput', [given], signal)
  }

  browserVersion(): Promise<BrowserVersion> {
    return this.#link.ask('browserVersion', [])
  }

  startTask(input: unknown): Promise<TaskRecord> {
    return this.#link.ask('startTask', [input])
  }

  cancelTask(taskId: string): Promise<TaskRecord> {
    return this.#link.ask('cancelTask', [taskId])
  }

  saveProfile(name: string, signal: AbortSignal): Promise<ProfileDescription> {
    return this.#link.ask('saveProfile', [name], signal)
  }

  watch(given: GivenWatch, signal: AbortSignal): Promise<PageFrames> {
    return this.#over((calls) => calls.watch(given, signal))
  }

  attachClient(name: string, client: CdpClient): Promise<AttachedClient> {
    return this.#over((calls) => calls.attachClient(name, client))
  }

  async saveUpload(
    file: GivenUpload,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<ArtifactRecord> {
    // It may fail while the connection is opened.
    if (content instanceof Readable) content.on('error', () => {})
    const calls = await this.#link.open().catch(async (error: unknown) => {
      await closeContent(content)
      throw error
    })
    try {
      // A session that has ended refuses it before anything is read.
      return await answerOr(calls.saveUpload(file, content, signal), () => this.#link.saveUpload(file, content, signal))
    } finally {
      calls.close()
    }
  }

  /** The connection ends with what the call returns, or with its failure. */
  async #over<T>(call: (calls: ChannelCalls) => Promise<T>): Promise<T> {
    const calls = await this.#link.open()
    try {
      return await call(calls)
    } catch (error) {
      calls.close()
      throw error
    }
  }
}
