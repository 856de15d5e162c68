import { errors, type BrowserContext } from 'playwright'
import type { Logger } from '../../../logger.ts'
import { TEXT_LIMITS, type CutFailure } from '../../../ports/log/log-entry.ts'
import type {
  ActionContext,
  ActionOutcome,
  ActionStep,
  ObservationOutcome,
  ObservationRequest,
} from '../../../ports/browser/action.ts'
import type {
  BrowserOptions,
  BrowserSession,
  BrowserVersion,
  OpenOutcome,
  PageState,
  EventSink,
} from '../../../ports/browser/browser.ts'
import type { CdpAttachment, CdpClient, CdpClientHost } from '../../../ports/browser/cdp-client.ts'
import type { Emulation } from '../../../ports/browser/emulation.ts'
import type { InputEvent } from '../../../contract/input-event.ts'
import type { InputOutcome, PageFrames, PictureOptions } from '../../../ports/browser/live-view.ts'
import type { Json } from '../../../ports/base/json.ts'
import type { Viewport } from '../../../ports/base/viewport.ts'
import { DocumentStatus } from '../actions/kinds/document-status.ts'
import { PageActions } from '../actions/page-actions.ts'
import { ClientUploads } from '../files/client-uploads.ts'
import { DownloadHandover } from '../files/download-handover.ts'
import { Connectivity } from './connectivity.ts'
import { permissionsOf } from '../launch/open-browser.ts'
import type { BrowserProcess } from '../launch/browser-process.ts'
import { LiveView } from '../live-view/live-view.ts'
import { cutText } from '../cdp/protocol/cut-text.ts'
import { isPlaywrightError, netErrorIn, withoutCall } from '../library/playwright-errors.ts'
import { Deadline } from '../../../async/deadline.ts'
import { FinalMessages } from './final-messages.ts'
import type { NavigationGuard } from '../network/navigation-guard.ts'
import { PageSizes } from './page-sizes.ts'
import type { RecorderSet } from '../recorders/recorder-set.ts'
import type { CaptureSet } from '../captures/capture-set.ts'
import { ClientRelay } from '../relay/client-relay.ts'
import { DownloadBehaviors } from '../relay/download-behaviors.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import type { WatchedFolder } from '../launch/temp-space.ts'

/** Share of the deadline for the last files. */
const FINISHING_SHARE = 0.8
/** A URL without cookies. */
const NOWHERE = 'http://tabwire.invalid/'
/** The same for pages to respond again, having responded a moment ago. */
const SILENCE_SHARE = 0.2

/** One browser assigned to one session. */
export class PlaywrightSession implements BrowserSession {
  readonly crashed: Promise<string>
  readonly misbehaved: Promise<string>
  readonly #misbehave: (why: string) => void
  readonly #process: BrowserProcess
  readonly #targets: TargetRegistry
  readonly #context: BrowserContext
  readonly #recording: RecorderSet
  readonly #recordings: CaptureSet
  readonly #recorder: Pick<EventSink, 'saveFile'>
  readonly #guard: NavigationGuard
  readonly #logger: Logger
  readonly #actions: PageActions
  readonly #liveView: LiveView
  readonly #sizes: PageSizes
  readonly #connectivity: Connectivity
  readonly #finalMessages: FinalMessages
  readonly #uploads: ClientUploads
  readonly #handover: DownloadHandover
  readonly #emulation: Emulation
  #downloadBehaviors: DownloadBehaviors | null = null
  #storageRead: Promise<unknown> = Promise.resolve()
  #cutBy: CutFailure = 'session ended'
  #closing: Promise<void> | null = null

  constructor(
    process: BrowserProcess,
    targets: TargetRegistry,
    context: BrowserContext,
    recording: RecorderSet,
    recordings: CaptureSet,
    recorder: Pick<EventSink, 'saveFile' | 'expectSecret'>,
    { emulation, offline }: Pick<BrowserOptions, 'emulation' | 'offline'>,
    logger: Logger,
  ) {
    this.#process = process
    this.#targets = targets
    this.#context = context
    this.#recording = recording
    this.#recordings = recordings
    this.#recorder = recorder
    this.#guard = recording.guard
    this.#logger = logger
    this.#emulation = emulation
    const { uploads } = process.folders
    const { deviceScaleFactor } = emulation
    this.#actions = new PageActions(
      context,
      targets,
      process.connection,
      uploads,
      this.#guard,
      deviceScaleFactor,
      logger,
    )
    this.#actions.expectSecret = (text) => recorder.expectSecret(text)
    this.#liveView = new LiveView(process.connection, targets, this.#actions.typing, logger)
    this.crashed = new Promise((resolve) => {
      void process.exited.then(async (how) => {
        if (this.#closing !== null) return
        // After the end is reported no more entries are accepted, and the pipe may still contain the pages' last
        // events.
        await process.fellSilent
        resolve(`the browser ended unexpectedly (${how})`)
      })
    })
    ;({ promise: this.misbehaved, resolve: this.#misbehave } = Promise.withResolvers<string>())
    void process.connection.misbehaved.then(this.#misbehave)
    this.#sizes = new PageSizes(context, logger)
    this.#connectivity = new Connectivity(context, process.connection, targets, offline)
    this.#finalMessages = new FinalMessages(process, targets, recording)
    this.#uploads = new ClientUploads(process.folders.uploads)
    this.#handover = new DownloadHandover(logger)
    recording.onDownloadEnded((guid, path, isSaved) => this.#handover.ended(guid, path, isSaved))
  }

  /** Enforces the session's limit in the temporary folder. */
  boundBy(folder: WatchedFolder): void {
    this.#recording.limitDownloads(folder.limitBytes)
    this.#actions.limitUploads((bytes) => folder.refusal(bytes))
    this.#uploads.refuse = (bytes) => folder.refusal(bytes)
    folder.onSizes = (sizes) => this.#recordings.sized(sizes)
    folder.onOverrun = (stage, why) => {
      if (this.#closing !== null) return
      this.#recording.breakOffDownloads(why)
      this.#recordings.breakOff(why)
      if (stage === 'break off') return
      this.#misbehave(why)
      // Whichever process is writing has to stop now, not after everything possible was stored.
      this.#process.kill()
    }
  }

  pages(): PageState[] {
    return this.#targets.pages()
  }

  async open(url: string, signal: AbortSignal): Promise<OpenOutcome> {
    const { count } = this.#guard
    const pageId = this.#targets.pages()[0]?.pageId ?? null
    // A step may go elsewhere meanwhile, and is responsible for its own blocked documents.
    using own = pageId === null ? null : this.#actions.follow(pageId, url)
    const failure = await this.#load(url, signal)
    await this.#recording.settled()
    if (signal.aborted) return { ok: false, failure }
    const { blocked, netError } = await this.#guard.refusedSince(this.#targets.pages()[0]?.pageId ?? null, count, own)
    if (blocked !== null) return { ok: false, failure, blocked }
    return { ok: failure === null, failure: netError ?? failure }
  }

  async #load(url: string, signal: AbortSignal): Promise<string | null> {
    let answered: DocumentStatus | null = null
    try {
      const page = this.#context.pages()[0] ?? (await Deadline.race(this.#context.newPage(), signal))
      answered = new DocumentStatus(page)
      await Deadline.race(page.goto(url, { waitUntil: 'load', timeout: 0 }), signal)
      await this.#targets.refresh()
      return null
    } catch (error) {
      // The URL is that of a file, or a client or an action has navigated the page elsewhere meanwhile.
      if (isPlaywrightError(error, 'download')) {
        // Playwright processes earlier events of the browser before the response to this command.
        await Deadline.race(this.#context.cookies(NOWHERE), signal).catch(() => undefined)
        return answered?.isError === true ? 'net::ERR_INVALID_RESPONSE' : null
      }
      if (isPlaywrightError(error, 'interrupted')) return null
      return signal.aborted ? 'timed out before the page had loaded' : failureOfNavigation(error as Error)
    } finally {
      answered?.stop()
    }
  }

  setViewport(viewport: Viewport): Promise<void> {
    return this.#sizes.set(viewport, (timeoutMs) => this.ping(timeoutMs))
  }

  async setOffline(offline: boolean): Promise<void> {
    await this.#connectivity.set(offline, (timeoutMs) => this.ping(timeoutMs))
  }

  async act(step: ActionStep, context: ActionContext): Promise<ActionOutcome> {
    const outcome = await this.#actions.act(step, context)
    // Console messages from before the action must precede it in the log.
    await this.#recording.settled()
    return outcome
  }

  observe(request: ObservationRequest): Promise<ObservationOutcome> {
    return this.#actions.observe(request)
  }

  picture(pageId: string, quality: number, signal: AbortSignal): Promise<Uint8Array | null> {
    return this.#actions.picture(pageId, quality, signal)
  }

  watch(pageId: string | null, options: PictureOptions, signal: AbortSignal): PageFrames {
    return this.#liveView.watch(pageId, options, signal)
  }

  endWatching(): void {
    this.#liveView.endWatching()
  }

  dispatchInput(pageId: string | null, events: readonly InputEvent[]): Promise<InputOutcome> {
    return this.#liveView.dispatchInput(pageId, events)
  }

  async storageState(signal: AbortSignal): Promise<Json> {
    await Deadline.race(this.#storageRead, signal)
    signal.throwIfAborted()
    const show = this.#targets.hideNewPages()
    const read = this.#context.storageState({ indexedDB: true }).finally(show)
    // A call that waits for an unresponsive page cannot be canceled, and once the page responds, it opens pages of its
    // own.
    this.#storageRead = read.catch(() => undefined)
    return await Deadline.race(read, signal)
  }

  async finishFiles(deadlineMs: number): Promise<void> {
    const until = performance.now() + deadlineMs
    const left = () => until - performance.now()
    await this.#recording.finishDownloads(deadlineMs / 2)
    // However long this waits, some of the time is reserved for storing files.
    const silence = () => this.#finalMessages.silence(Math.min(deadlineMs * SILENCE_SHARE, left()))
    const files = await this.#recordings.finish(left() * FINISHING_SHARE, silence)
    await Deadline.isMet(Promise.all(files.map((file) => this.#recorder.saveFile(file))), left())
    if (this.#recording.isStopped) return
    await silence()
    this.#recording.flushRequests(this.#cutBy)
  }

  async attachClient(client: CdpClient, host: CdpClientHost): Promise<CdpAttachment> {
    const { connection, folders } = this.#process
    const { browserContextId } = this.#targets
    if (browserContextId === null) throw new Error('the session has no context yet')
    this.#downloadBehaviors ??= new DownloadBehaviors(connection, folders.downloads, browserContextId)
    const dialogs = this.#actions.leaveDialogsToClient()
    const browser = {
      connection,
      targets: this.#targets,
      guard: this.#guard,
      loads: this.#recording.clientLoads,
      rewritten: (requestId: string, url: string) => this.#recording.rewritten(requestId, url),
      browserContextId,
      behaviors: this.#downloadBehaviors,
      handover: this.#handover,
      uploads: this.#uploads,
      emulation: this.#emulation,
      permitAgain: () => void this.#permitAgain(),
      acted: (pageId: string | null) => dialogs.client.acted(pageId),
      typing: this.#actions.typing,
      logger: this.#logger,
    }
    try {
      const relay = await ClientRelay.attach(browser, client, host)
      return {
        receive: (message) => relay.receive(message),
        detach: () => relay.detach().finally(dialogs.leave),
      }
    } catch (error) {
      dialogs.leave()
      throw error
    }
  }

  async #permitAgain(): Promise<void> {
    try {
      await this.#context.clearPermissions()
      const permissions = permissionsOf(this.#emulation)
      if (permissions) await this.#context.grantPermissions(permissions)
    } catch (error) {
      // Its browser is gone, or about to be.
      this.#logger.debug({ err: error }, 'the permissions of a session could not be restored')
    }
  }

  version(): Promise<BrowserVersion> {
    return this.#process.connection.send('Browser.getVersion', {}, this.#targets.ownSessionId)
  }

  async ping(timeoutMs: number): Promise<number | null> {
    const start = performance.now()
    const answer = this.#process.connection.send('Browser.getVersion', {}, this.#targets.ownSessionId).then(
      () => true,
      () => null,
    )
    return (await Deadline.result(answer, timeoutMs)) === null ? null : performance.now() - start
  }

  async flush(deadlineMs: number, cutBy: CutFailure = 'session ended'): Promise<void> {
    using deadline = new Deadline(deadlineMs)
    this.#cutBy = cutBy
    await this.#finalMessages.collect(deadlineMs)
    this.#recording.flush(cutBy)
    await this.#recording.finishBodies(deadline.remainingMs)
  }

  missingSince(): number | null {
    return this.#finalMessages.missingSince()
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing ??= this.#end(deadlineMs)
    return this.#closing
  }

  async #end(deadlineMs: number): Promise<void> {
    this.#recording.stop()
    this.#liveView.endWatching()
    this.#actions.dispose()
    this.#handover.dispose()
    this.#uploads.dispose()
    await this.#recordings.dispose()
    await this.#process.close(deadlineMs)
  }
}

/** The browser's own error in Playwright's message, such as net::ERR_NAME_NOT_RESOLVED. */
function failureOfNavigation(error: Error): string {
  const net = netErrorIn(error)
  if (net !== null) return net
  if (error instanceof errors.TimeoutError) return 'timeout'
  return cutText(withoutCall(error).split('\n', 1)[0]!, TEXT_LIMITS.failure)
}
