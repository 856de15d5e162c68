import type { Observation } from '../../ports/browser/action.ts'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { BrowserVersion, PageState } from '../../ports/browser/browser.ts'
import type { CdpClient } from '../../ports/browser/cdp-client.ts'
import type { PageFrames } from '../../ports/browser/live-view.ts'
import type { ClientDetachReason, LogEntry, PendingRequest } from '../../ports/log/log-entry.ts'
import type { ProfileDescription } from '../../ports/sessions/profile.ts'
import type { LogHead } from '../../ports/store/store.ts'
import type { TaskRecord } from '../../ports/tasks/task.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import type { SessionHealth } from './session-health.ts'
import type { SessionChange } from './input/session-input.ts'

/** Steps as received from a client: they are checked in the session's process. */
export interface GivenActions {
  /** The page of the first step. Null: the oldest page. */
  pageId: string | null
  actions: readonly unknown[]
  /**
   * For each of the actions, the UUIDs of the artifacts that it refers to, in its order; null if an id does not
   * identify one. Default: no references.
   */
  artifacts?: readonly (readonly (string | null)[])[]
}

/** A question about a page, as received from a client. */
export interface GivenObservation {
  pageId: string
  maxCharacters?: number | null | undefined
  target?: unknown
  withPicture: boolean
}

/** The observed state of a page. */
export interface ObservedPage extends Observation {
  /** JPEG. Null if it was not requested, or not available. */
  picture: Uint8Array | null
}

/** A live view, as requested by a client. */
export interface GivenWatch {
  /** Null: the active page. */
  pageId: string | null
  maxWidth?: number | null | undefined
  maxHeight?: number | null | undefined
  quality?: number | null | undefined
  maxFps?: number | null | undefined
}

/** Mouse, keyboard and touch events, as received from a client. */
export interface GivenInput {
  /** Null: the active page. */
  pageId: string | null
  events: readonly unknown[]
}

/** A file that a client uploads. Its bytes are passed separately. */
export interface GivenUpload {
  /** UUID of its future artifact. */
  id: string
  name: string
  contentType: string
  /** Size as declared by the sender. Null: unknown. */
  announcedBytes: number | null
}

/** The session's end of a connection over which a client uses the Chrome DevTools Protocol. */
export interface AttachedClient {
  /**
   * Receives a text message of the client, in valid UTF-8, in pieces. Void: it was handled; otherwise resolves when it is,
   * and is held until then. Never throws; may reject. CdpClient.pause is called for backpressure.
   */
  receive(message: readonly Uint8Array[]): void | Promise<void>
  /** Detaches the client: resolves once this is logged. Idempotent. Never rejects. */
  leave(reason: ClientDetachReason): Promise<void>
}

/**
 * A live session in any process: everything that others can ask of it. All of it could cross a network: arguments and
 * results are plain data and bytes, streams are pulled, a connection is a pair of message channels with backpressure, a
 * signal cancels, and an error is a TabwireError, of which callers may rely on code, message and extensions only, or
 * StoreUnavailable. One of another machine also fails with MACHINE_UNREACHABLE. After the end of the session, members that act on it fail with SESSION_NOT_RUNNING; those that
 * query it may respond or fail in the same way, which callers treat as its end. Uploads are still stored. A task does
 * not use it: a task is part of its session, ends with it and has its entries in the session's own log, so it runs in
 * the same process and uses a TaskSession. test/contracts/session-handle.contract.ts has the rules for every
 * implementation.
 */
export interface SessionHandle {
  /** UUID of the session. */
  readonly sessionId: string
  readonly owner: string

  /** The session's current state. */
  snapshot(): Promise<SessionSnapshot>
  /**
   * The session once it is RUNNING, or its first page has LOADED; earlier if it ends, if the signal is aborted, or
   * after 30 s.
   */
  reached(state: 'RUNNING' | 'LOADED', signal: AbortSignal): Promise<SessionSnapshot>
  /**
   * Executes steps in order, in turn, once the session is RUNNING. Resolves with one committed entry for each. The
   * signal cancels steps that have not begun. Throws BAD_USER_INPUT with every broken rule of every step, NOT_FOUND
   * (the page), CAPACITY_EXCEEDED, TIMEOUT or DATABASE_UNAVAILABLE.
   */
  act(given: GivenActions, signal: AbortSignal): Promise<LogEntry<'ACTION'>[]>
  /**
   * The current state of a page. Throws BAD_USER_INPUT, NOT_FOUND (the page), or the code of an action that fails in
   * the same way.
   */
  observe(given: GivenObservation, signal: AbortSignal): Promise<ObservedPage>
  /**
   * Changes the session, which counts as activity; resolves after the commit. Throws TIMEOUT or DATABASE_UNAVAILABLE.
   */
  update(change: Partial<SessionChange>): Promise<SessionSnapshot>
  /** Ends the session as TERMINATED. Resolves at its end, or after 30 s while the store is unavailable. Idempotent. */
  end(): Promise<void>
  /** Queries the browser now; resolves within 2 s. */
  health(): Promise<SessionHealth>
  /** Open pages, oldest first. Empty while no browser runs. */
  pages(): Promise<PageState[]>
  /** Requests that have not settled, oldest first. */
  pendingRequests(limit: number): Promise<PendingRequest[]>
  /** The end of the committed log. */
  logHead(): Promise<LogHead>
  /**
   * Committed entries after the sequence, from memory, at least one if there is one. Null: they are in the store only.
   */
  logTail(after: number, limit: number, maxBytes: number): Promise<LogEntry[] | null>
  /**
   * Frames of a page, once the session is RUNNING; ends with the page, the session or the signal. A slow reader skips
   * frames. Throws BAD_USER_INPUT, NOT_FOUND (the page) or TIMEOUT.
   */
  watch(given: GivenWatch, signal: AbortSignal): Promise<PageFrames>
  /**
   * Dispatches input to a page, once the session is RUNNING. False: the page did not process all of it in time. Throws
   * BAD_USER_INPUT, NOT_FOUND (the page) or TIMEOUT.
   */
  dispatchInput(given: GivenInput, signal: AbortSignal): Promise<boolean>
  /** Product, version and user agent of the browser. */
  browserVersion(): Promise<BrowserVersion>
  /**
   * Connects a client of the Chrome DevTools Protocol to the browser, under the name that the log shows. `close` of the
   * client is called when the session ends. Throws CAPACITY_EXCEEDED.
   */
  attachClient(name: string, client: CdpClient): Promise<AttachedClient>
  /** Starts a task in a RUNNING session. Throws BAD_USER_INPUT, TASK_RUNNING or AI_NOT_CONFIGURED. */
  startTask(input: unknown): Promise<TaskRecord>
  /**
   * Ends a task as CANCELLED; resolves at its end, or after 10 s. Throws SESSION_NOT_RUNNING if it is not running here.
   */
  cancelTask(taskId: string): Promise<TaskRecord>
  /**
   * Saves an upload as an artifact of the session, with a log entry unless the session has ended. Reads the stream to
   * its end, or closes it. Throws as Artifacts.keep does.
   */
  saveUpload(file: GivenUpload, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ArtifactRecord>
  /** Saves cookies and storage as a profile of the owner. Throws BAD_USER_INPUT or TIMEOUT. */
  saveProfile(name: string, signal: AbortSignal): Promise<ProfileDescription>
}
