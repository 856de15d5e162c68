import type { Readable } from 'node:stream'
import type { ActionContext, ActionOutcome, ActionStep, ObservationOutcome, ObservationRequest } from './action.ts'
import type { ArtifactKind, BrowserRecordingKind } from '../artifacts/artifact.ts'
import type { CdpAttachment, CdpClient, CdpClientHost } from './cdp-client.ts'
import type { EgressPolicy } from '../egress/egress.ts'
import type { CapturedBody, SavedBody } from '../log/body.ts'
import type { CaptureOptions } from './capture.ts'
import type { SpaceReservation } from '../artifacts/space-reservation.ts'
import type { InputEvent } from '../../contract/input-event.ts'
import type { InputOutcome, PageFrames, PictureOptions } from './live-view.ts'
import type {
  CutFailure,
  EntryDraft,
  MissReason,
  PendingRequest,
  RequestProgress,
  SessionEventKind,
} from '../log/log-entry.ts'
import type { StorageGuard } from '../artifacts/storage-guard.ts'
import type { Json } from '../base/json.ts'
import type { Emulation, HttpCredentials } from './emulation.ts'
import type { Viewport } from '../base/viewport.ts'

/** Every option of a session that concerns the browser. Null: the browser's default. */
export interface BrowserOptions {
  viewport: Viewport
  userAgent: string | null
  locale: string | null
  timezone: string | null
  extraHeaders: Record<string, string> | null
  emulation: Emulation
  /** Secret: kept in memory only. */
  httpCredentials: HttpCredentials | null
  offline: boolean
  /** Contents of a profile: the `storageState` of an earlier session. */
  storageState: Json
  /** What is recorded of bodies, messages and logged objects. */
  capture: CaptureOptions
  /** What to record from the start. */
  record: readonly BrowserRecordingKind[]
  /** What its pages may reach. */
  egress: EgressPolicy
}

/** The current state of a page. */
export interface PageState {
  /** p1, p2, … within the session, in order of opening. */
  pageId: string
  url: string
  title: string
}

/** A file created by the browser: a download, a recording. */
export interface BrowserFile {
  kind: ArtifactKind
  name: string
  contentType: string
  pageId: string | null
  /** Its bytes, until saveFile has resolved. Rejects if the path is not a plain file. */
  open(): Promise<Readable>
  /** The space reserved while it was written; saveFile releases it. */
  reservation?: SpaceReservation
}

/** The result of saving a file: its artifact, or why it could not be saved, for people. */
export type SavedFile = { artifactId: string; failure: null } | { artifactId: null; failure: string }

/**
 * Receives the events of a browser session. Calls are synchronous, in order of occurrence, cheap, and never throw; they
 * start before the first navigation and stop when `close` of the browser session has resolved.
 */
export interface EventSink {
  record(draft: EntryDraft): void
  /** A request is pending; the NETWORK_REQUEST draft with the same requestId settles it. */
  requestStarted(request: PendingRequest): void
  /** A pending request receives its response. */
  requestProgressed(progress: RequestProgress): void
  /**
   * An entry of this kind is missing: the browser's message was not read. With the requestId of a request that was
   * reported as started: it is no longer pending, and has no entry.
   */
  missed(kind: SessionEventKind, reason: MissReason, requestId?: number): void
  /** The URL or title of a page changed, or a page opened or closed: BrowserSession.pages() returns the new state. */
  pagesChanged(): void
  /** A page shows a document that it navigated to: neither a blank page nor the browser's error page. */
  arrived(pageId: string): void
  /** An internal error while handling browser events: the session must end. */
  failed(error: unknown): void
  /** Saves a file as an artifact of the session. Never rejects. */
  saveFile(file: BrowserFile): Promise<SavedFile>
  /**
   * Masks secrets in a body and stores it, inline or separately; resolves once it is durable, so that the entry can
   * refer to it. Never rejects.
   */
  saveBody(body: CapturedBody): Promise<SavedBody>
  /**
   * The text is about to be typed into a possibly secret field: from now on it is masked in recordings. Returns a
   * function that undoes this, if the field turns out not to be secret.
   */
  expectSecret(text: string): () => void
  /**
   * The text with the session's secrets masked: for texts that will be cut, since a cut within a secret would hide it
   * from masking.
   */
  masked(text: string): string
  /** Reserves space for a file that is being written: until released, the file counts against the owner's quota. */
  reserveSpace(): SpaceReservation
}

/** The outcome of opening a page: data, never an exception, since the page is not under our control. */
export interface OpenOutcome {
  ok: boolean
  /** The browser's error, such as net::ERR_NAME_NOT_RESOLVED; null if it loaded. */
  failure: string | null
  /** Why the page left its target, or never reached it, for people; absent: it may show that page. */
  blocked?: string
}

export interface BrowserVersion {
  product: string
  protocolVersion: string
  userAgent: string
  revision: string
  jsVersion: string
}

/** One browser process with one context, owned by one session. */
export interface BrowserSession {
  /** Resolves, never rejects, when the browser exits without a call of `close`: the reason, for people. */
  readonly crashed: Promise<string>
  /** Resolves, never rejects, when the session must end because of its browser's behavior: the reason, for people. */
  readonly misbehaved: Promise<string>
  /** The first is the initial page, or the oldest one that is still open. */
  pages(): PageState[]
  /** Opens the URL in the first page and waits for its load event, or for the signal. */
  open(url: string, signal: AbortSignal): Promise<OpenOutcome>
  /** For every current and future page. A page that hangs applies it later; rejects if the browser does not respond. */
  setViewport(viewport: Viewport): Promise<void>
  /**
   * For every current and future page and worker. A page that hangs applies it later; rejects if the browser does not
   * respond.
   */
  setOffline(offline: boolean): Promise<void>
  /** Executes a step. Never rejects; resolves soon after the signal, whatever the page does. One at a time. */
  act(step: ActionStep, context: ActionContext): Promise<ActionOutcome>
  /** Never rejects; resolves soon after the signal, whatever the page does. */
  observe(request: ObservationRequest): Promise<ObservationOutcome>
  /** JPEG of the viewport of a page; null: not available. */
  picture(pageId: string, quality: number, signal: AbortSignal): Promise<Uint8Array | null>
  /**
   * Live view of a page, starting with a frame at once; null: of the active page (the one most recently opened or
   * brought to front). Ends when the given page closes, with the signal, or with `endWatching`. Costs nothing without a
   * reader.
   */
  watch(pageId: string | null, options: PictureOptions, signal: AbortSignal): PageFrames
  /** Ends every `watch`. */
  endWatching(): void
  /**
   * Dispatches user input to a page (null: the active one), in order; calls for one page are serialized. Never rejects;
   * resolves within seconds, whatever the page does.
   */
  dispatchInput(pageId: string | null, events: readonly InputEvent[]): Promise<InputOutcome>
  /**
   * Cookies, local storage and IndexedDB, for a profile. Leaves no trace in the log. Rejects if they cannot be read.
   */
  storageState(signal: AbortSignal): Promise<Json>
  /** Connects a CDP client to it, with restrictions. Rejects if the browser has exited. */
  attachClient(client: CdpClient, host: CdpClientHost): Promise<CdpAttachment>
  /** The browser's own data for GET /json/version. Rejects if it does not respond. */
  version(): Promise<BrowserVersion>
  /** The browser's response time in milliseconds, or null if it did not respond in time. */
  ping(timeoutMs: number): Promise<number | null>
  /**
   * Records earlier events of pages, pending details of settled requests, and the requests and WebSockets that the end
   * of the session cuts off, within the deadline. Terminates scripts that hang. With 0 the browser is not asked, since
   * it has exited. Call before `close`. `cutBy`: the failure of pending requests, usually that the session ended.
   */
  flush(deadlineMs: number, cutBy?: CutFailure): Promise<void>
  /**
   * Stops the requested recordings and passes each to Recorder.saveFile; waits for downloads that are being saved. Also
   * after a crash, with what has been recorded. Pages run until it is done, and their events until then are recorded,
   * including requests that are cut off; later ones are not. Never rejects. Call after `flush`, before `close`.
   */
  finishFiles(deadlineMs: number): Promise<void>
  /**
   * Ends the browser: asks it to exit, kills its process group after the deadline, removes its directory. Afterwards no
   * process, directory, listener or timer of it is left. Idempotent; later calls join the first.
   */
  close(deadlineMs: number): Promise<void>
  /**
   * Call after `close`: the time from which entries may be missing because the browser had not delivered them, in
   * milliseconds since the epoch; null: all events before `flush` were received, and there were none after it.
   */
  missingSince(): number | null
}

export interface BrowserPool extends StorageGuard {
  /**
   * A browser for one session: a warm one if available, else a new one. The recorder receives everything from before
   * the first navigation. A launch that completes after the signal was aborted is closed, not leaked. Rejects with
   * BrowserLaunchFailed, or with the signal's reason.
   */
  acquire(options: BrowserOptions, recorder: EventSink, signal: AbortSignal): Promise<BrowserSession>
  /** Number of warm browsers. */
  warmCount(): number
  /** The recordings that this host cannot make, each with the reason, for people: VIDEO needs ffmpeg. */
  unavailableRecordings(): Partial<Record<BrowserRecordingKind, string>>
  /** Null if sessions can be started; otherwise what is missing, for GET /ready. */
  notReady(): string | null
  /** Closes the warm browsers, and keeps none from now on; sessions still get browsers. Idempotent. */
  drain(): void
  /** One line for people: browser, version, sandboxed or not. */
  describe(): string
  /** Closes the warm browsers and stops refilling. Browsers in use belong to their sessions. */
  close(): Promise<void>
}

export class BrowserLaunchFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'BrowserLaunchFailed'
  }
}
