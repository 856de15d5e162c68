import type { Observation } from '../../ports/action.ts'
import type { ArtifactRecord } from '../../ports/artifact.ts'
import type { BrowserVersion, PageState } from '../../ports/browser.ts'
import type { CdpClient } from '../../ports/cdp-client.ts'
import type { PageFrames } from '../../ports/live-view.ts'
import type { ClientDetachReason, LogEntry, PendingRequest } from '../../ports/log-entry.ts'
import type { ProfileDescription } from '../../ports/profile.ts'
import type { LogHead } from '../../ports/store.ts'
import type { TaskRecord } from '../../ports/task.ts'
import type { SessionSnapshot } from '../log/session-snapshot.ts'
import type { SessionHealth } from './session-health.ts'
import type { SessionChange } from './session-input.ts'

/** Steps as a client gave them: they are checked where the session lives. */
export interface GivenActions {
  /** The page of the first step. Null: the oldest page. */
  pageId: string | null
  actions: readonly unknown[]
  /** For each of the actions, the UUIDs of the artifacts that it names, in its order; null where an id names none. Absent: none names any. */
  artifacts?: readonly (readonly (string | null)[])[]
}

/** A question about a page, as a client gave it. */
export interface GivenObservation {
  pageId: string
  maxCharacters?: number | null | undefined
  target?: unknown
  withPicture: boolean
}

/** A page as it was observed. */
export interface ObservedPage extends Observation {
  /** JPEG. Null when it was not asked for, or the page gave none. */
  picture: Uint8Array | null
}

/** A live view, as a client asks for it. */
export interface GivenWatch {
  /** Null: the active page, whichever it is. */
  pageId: string | null
  maxWidth?: number | null | undefined
  maxHeight?: number | null | undefined
  quality?: number | null | undefined
  maxFps?: number | null | undefined
}

/** Events of mouse, keyboard and touch, as a client gave them. */
export interface GivenInput {
  /** Null: the active page. */
  pageId: string | null
  events: readonly unknown[]
}

/** A file that a client uploads. Its bytes come apart. */
export interface GivenUpload {
  /** UUID of the artifact that it becomes. */
  id: string
  name: string
  contentType: string
  /** Size as far as the sender says. Null: unknown. */
  announcedBytes: number | null
}

/** The session's end of a connection over which a client speaks the Chrome DevTools Protocol. */
export interface AttachedClient {
  /** Takes a message of the client. Never throws. CdpClient.pause is called when no more should come. */
  receive(text: string): void
  /** Detaches the client: resolves when the log has that. Idempotent. Never rejects. */
  leave(reason: ClientDetachReason): Promise<void>
}

/**
 * A live session, wherever it lives: everything that is asked of one from outside. All of it could cross a network:
 * arguments and results are plain data and bytes, streams are pulled, a connection is a pair of message channels with
 * backpressure, a signal cancels, and a refusal is a TabwireError, whose code, message and extensions are all that
 * callers may rely on, or StoreUnavailable. After the end of the session, members that act on it are refused as
 * SESSION_NOT_RUNNING; those that ask about it may answer or be refused so, which callers take for its end. Uploads are
 * still kept. A task is no caller: it is part of its session, which ends it with itself and has its entries in its own log,
 * so it runs beside it and knows it as a TaskSession. test/contracts/session-handle.contract.ts has the rules for every
 * implementation.
 */
export interface SessionHandle {
  /** UUID of the session. */
  readonly sessionId: string
  readonly owner: string

  /** The session as it is now. */
  snapshot(): Promise<SessionSnapshot>
  /**
   * The session when it is RUNNING, or when its first page has LOADED; earlier when it ends, when the signal fires, or
   * after 30 s.
   */
  reached(state: 'RUNNING' | 'LOADED', signal: AbortSignal): Promise<SessionSnapshot>
  /**
   * Takes steps in order, when it is their turn, once the session is RUNNING. Resolves with one committed entry for each.
   * The signal cancels steps that have not begun. Throws BAD_USER_INPUT with every broken rule of every step, NOT_FOUND
   * (the page), CAPACITY_EXCEEDED, TIMEOUT or DATABASE_UNAVAILABLE.
   */
  act(given: GivenActions, signal: AbortSignal): Promise<LogEntry<'ACTION'>[]>
  /** A page as it is now. Throws BAD_USER_INPUT, NOT_FOUND (the page), or the code of an action that fails so. */
  observe(given: GivenObservation, signal: AbortSignal): Promise<ObservedPage>
  /** Changes the session, which counts as activity; resolves when that is committed. Throws TIMEOUT or DATABASE_UNAVAILABLE. */
  update(change: Partial<SessionChange>): Promise<SessionSnapshot>
  /** Ends the session as TERMINATED. Resolves at its end, or after 30 s while the store is unavailable. Idempotent. */
  end(): Promise<void>
  /** Asks the browser now; resolves within 2 s. */
  health(): Promise<SessionHealth>
  /** Open pages, oldest first. Empty while no browser runs. */
  pages(): Promise<PageState[]>
  /** Requests that have not settled, oldest first. */
  pendingRequests(limit: number): Promise<PendingRequest[]>
  /** The end of the committed log. */
  logHead(): Promise<LogHead>
  /** Committed entries after the sequence, from memory, at least one if there is one. Null: they are in the store only. */
  logTail(after: number, limit: number, maxBytes: number): Promise<LogEntry[] | null>
  /**
   * Frames of a page, once the session is RUNNING; ends with the page, the session or the signal. A reader that is slow
   * skips frames. Throws BAD_USER_INPUT, NOT_FOUND (the page) or TIMEOUT.
   */
  watch(given: GivenWatch, signal: AbortSignal): Promise<PageFrames>
  /**
   * Gives a page input, once the session is RUNNING. False: the page did not take all of it in time. Throws
   * BAD_USER_INPUT, NOT_FOUND (the page) or TIMEOUT.
   */
  dispatchInput(given: GivenInput, signal: AbortSignal): Promise<boolean>
  /** Product, version and user agent of the browser. */
  browserVersion(): Promise<BrowserVersion>
  /**
   * Lets a client speak the Chrome DevTools Protocol with the browser, under the name that the log shows. The client is
   * told by `close` when the session ends. Throws CAPACITY_EXCEEDED.
   */
  attachClient(name: string, client: CdpClient): Promise<AttachedClient>
  /** Starts a task in a RUNNING session. Throws BAD_USER_INPUT, TASK_RUNNING or AI_NOT_CONFIGURED. */
  startTask(input: unknown): Promise<TaskRecord>
  /** Ends a task as CANCELLED; resolves at its end, or after 10 s. Throws SESSION_NOT_RUNNING when it is not running here. */
  cancelTask(taskId: string): Promise<TaskRecord>
  /**
   * Saves an upload as an artifact of the session, which its log has, too; after the end of the session the log has no
   * entry of it. Takes the stream to its end, or closes it. Throws as Artifacts.keep does.
   */
  keepUpload(file: GivenUpload, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ArtifactRecord>
  /** Saves cookies and storage as a profile of the owner. Throws BAD_USER_INPUT or TIMEOUT. */
  saveProfile(name: string, signal: AbortSignal): Promise<ProfileDescription>
}
