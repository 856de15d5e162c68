import type { Readable } from 'node:stream'
import type { ActionContext, ActionOutcome, ActionStep, ObservationOutcome, ObservationRequest } from './action.ts'
import type { ArtifactKind, BrowserRecordingKind } from './artifact.ts'
import type { CdpAttachment, CdpClient, CdpClientHost } from './cdp-client.ts'
import type { EgressPolicy } from './egress.ts'
import type { CapturedBody, KeptBody } from './body.ts'
import type { CaptureOptions } from './capture.ts'
import type { FileRoom } from './file-room.ts'
import type { InputEvent } from '../contract/input-event.ts'
import type { InputOutcome, PageFrames, PictureOptions } from './live-view.ts'
import type {
  CutFailure,
  EntryDraft,
  MissReason,
  PendingRequest,
  RequestProgress,
  SessionEventKind,
} from './log-entry.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { Json } from './json.ts'
import type { Emulation, HttpCredentials } from './emulation.ts'
import type { Viewport } from './viewport.ts'

/** Every option of a session that the browser has to know. Null: the browser's own. */
export interface BrowserOptions {
  viewport: Viewport
  userAgent: string | null
  locale: string | null
  timezone: string | null
  extraHeaders: Record<string, string> | null
  emulation: Emulation
  /** Secret: in memory alone. */
  httpCredentials: HttpCredentials | null
  offline: boolean
  /** What a profile holds: what `storageState` of an earlier session returned. */
  storageState: Json
  /** What is kept of bodies, messages and logged objects. */
  capture: CaptureOptions
  /** What to record from the first moment on. */
  record: readonly BrowserRecordingKind[]
  /** What its pages may reach. */
  egress: EgressPolicy
}

/** A page as it is now. */
export interface PageState {
  /** p1, p2, … within the session, in order of opening. */
  pageId: string
  url: string
  title: string
}

/** A file that the browser made by itself: a download, a recording. */
export interface BrowserFile {
  kind: ArtifactKind
  name: string
  contentType: string
  pageId: string | null
  /** Its bytes, until keepFile has resolved. Rejects where what was written is no plain file. */
  open(): Promise<Readable>
  /** What it has counted in while it was written; keepFile releases it. */
  room?: FileRoom
}

/** What became of a file: its artifact, or why it could not be kept, for people. */
export type KeptFile = { artifactId: string; failure: null } | { artifactId: null; failure: string }

/**
 * Where a browser session tells what happens. Calls are synchronous, in order of happening, cheap, and never throw;
 * they start before the first navigation and stop when `close` of the browser session has resolved.
 */
export interface EventSink {
  record(draft: EntryDraft): void
  /** A request is in flight; the NETWORK_REQUEST draft with the same requestId settles it. */
  requestStarted(request: PendingRequest): void
  /** A request in flight is being answered. */
  requestProgressed(progress: RequestProgress): void
  /**
   * An entry of this kind is missing: what the browser said of it was not read. With the requestId of a request that was
   * told as started: it is in flight no more, and no entry of it comes.
   */
  missed(kind: SessionEventKind, reason: MissReason, requestId?: number): void
  /** URL or title of a page changed, or a page opened or closed: BrowserSession.pages() tells the new state. */
  pagesChanged(): void
  /** A page shows a document that it went to: not a blank one, and not the browser's own page of an error. */
  arrived(pageId: string): void
  /** A fault of ours while the browser was heard: the session must end. */
  failed(error: unknown): void
  /** Keeps a file as an artifact of the session. Never rejects. */
  keepFile(file: BrowserFile): Promise<KeptFile>
  /**
   * Takes secrets out of a body and keeps it, inline or apart; resolves once it is durable, so that the entry can name it.
   * Never rejects.
   */
  keepBody(body: CapturedBody): Promise<KeptBody>
  /**
   * The text is about to be typed where it may be secret: from now on it is masked in what is recorded. Returns how to take
   * that back, for what turns out not to be.
   */
  expectSecret(text: string): () => void
  /** Without what the session masks: for texts that are cut, which must not cut a secret in two. */
  masked(text: string): string
  /** Room for a file that begins to be written: until it is released, the file counts against the owner's quota. */
  openRoom(): FileRoom
}

/** How opening a page went: data, never an exception, for the page is not ours. */
export interface OpenOutcome {
  ok: boolean
  /** The browser's words, such as net::ERR_NAME_NOT_RESOLVED; null when it loaded. */
  failure: string | null
  /** Why the page left, or never reached, what it was led to, for people; absent: it may show that. */
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
  /** Resolves, never rejects, when the browser is gone without `close` having been called: why, for people. */
  readonly crashed: Promise<string>
  /** Resolves, never rejects, when the session must end because of what its browser did: why, for people. */
  readonly misbehaved: Promise<string>
  /** The first is the page that was there from the start, or the oldest that is left. */
  pages(): PageState[]
  /** Opens the URL in the first page and waits for its load event, or for the signal. */
  open(url: string, signal: AbortSignal): Promise<OpenOutcome>
  /** For every page, and those to come. A page that hangs takes it later; rejects when the browser does not answer. */
  setViewport(viewport: Viewport): Promise<void>
  /** For every page and worker, and those to come. A page that hangs takes it later; rejects when the browser does not answer. */
  setOffline(offline: boolean): Promise<void>
  /** Takes a step. Never rejects; resolves soon after the signal, whatever the page does. One at a time. */
  act(step: ActionStep, context: ActionContext): Promise<ActionOutcome>
  /** Never rejects; resolves soon after the signal, whatever the page does. */
  observe(request: ObservationRequest): Promise<ObservationOutcome>
  /** JPEG of what can be seen of a page; null when there is none to be had. */
  picture(pageId: string, quality: number, signal: AbortSignal): Promise<Uint8Array | null>
  /**
   * Live picture of a page, the first frame at once; null: of the page in front, whichever it is (the one that was
   * opened, or brought to front, last). Ends when a page that was asked for closes, with the signal, or with
   * `endWatching`. Costs nothing when nobody reads.
   */
  watch(pageId: string | null, options: PictureOptions, signal: AbortSignal): PageFrames
  /** Ends every `watch`. */
  endWatching(): void
  /**
   * Gives a page (null: the one in front) what a person does, in order; calls for one page take turns. Never rejects;
   * resolves within seconds, whatever the page does.
   */
  dispatchInput(pageId: string | null, events: readonly InputEvent[]): Promise<InputOutcome>
  /** Cookies, local storage and IndexedDB, for a profile. Leaves no trace in the log. Rejects when it cannot be had. */
  storageState(signal: AbortSignal): Promise<Json>
  /** Lets a client speak the browser's own protocol with it, within bounds. Rejects when the browser is gone. */
  attachClient(client: CdpClient, host: CdpClientHost): Promise<CdpAttachment>
  /** What GET /json/version tells clients: the browser's own words. Rejects when it does not answer. */
  version(): Promise<BrowserVersion>
  /** Milliseconds the browser took to answer, or null if it did not within the time. */
  ping(timeoutMs: number): Promise<number | null>
  /**
   * Records what pages said before, what is still to be known of settled requests, and the requests and WebSockets that the
   * end cuts, within the deadline. Scripts that hang are ended for it. With 0 the browser is not asked: it is gone. Call
   * before `close`. `cutBy`: the failure of requests in flight, as a rule that the session ended.
   */
  flush(deadlineMs: number, cutBy?: CutFailure): Promise<void>
  /**
   * Ends the recordings that were asked for and gives each to Recorder.keepFile; downloads that are being kept are
   * waited for. Also after a crash, with what there is. Pages run until it is done, and what they say until then is
   * recorded, requests that the end cuts included; afterwards nothing is. Never rejects. Call after `flush`, before `close`.
   */
  finishFiles(deadlineMs: number): Promise<void>
  /**
   * Ends the browser: asks it first, kills its process group after the deadline, removes its directory. Afterwards no
   * process, directory, listener or timer of it is left. Idempotent; calls after the first join it.
   */
  close(deadlineMs: number): Promise<void>
  /**
   * Call after `close`: since when entries may be missing that the browser had not handed over, in milliseconds since
   * the epoch; null: everything that pages said before `flush` was heard, and they said nothing after it.
   */
  unheardSince(): number | null
}

export interface BrowserPool extends StorageGuard {
  /**
   * A browser for one session: a warm one if there is, else a fresh one. The recorder sees everything from before the
   * first navigation. A launch that finishes after the signal has fired is closed, not leaked. Rejects with
   * BrowserLaunchFailed, or with the signal's reason.
   */
  acquire(options: BrowserOptions, recorder: EventSink, signal: AbortSignal): Promise<BrowserSession>
  /** Browsers ready to be taken now. */
  warmCount(): number
  /** Which recordings cannot be made here, each with the reason, for people: VIDEO needs ffmpeg. */
  unavailableRecordings(): Partial<Record<BrowserRecordingKind, string>>
  /** Null when sessions can be started; else what is missing, for GET /ready. */
  notReady(): string | null
  /** One line for people: which browser, its version, sandboxed or not. */
  describe(): string
  /** Ends the warm ones and stops refilling. Sessions' browsers belong to their sessions. */
  close(): Promise<void>
}

export class BrowserLaunchFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'BrowserLaunchFailed'
  }
}
