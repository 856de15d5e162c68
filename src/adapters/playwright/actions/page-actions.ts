import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BrowserContext, Page } from 'playwright'
import type { Logger } from '../../../logger.ts'
import type {
  ActionContext,
  ActionOutcome,
  ActionStep,
  ObservationOutcome,
  ObservationRequest,
} from '../../../ports/browser/action.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { CdpMethod, CdpParams, CdpResult } from '../cdp/protocol/cdp-commands.ts'
import { TargetGone } from '../cdp/protocol/target-gone.ts'
import { Deadline } from '../../../async/deadline.ts'
import type { NavigationGuard } from '../network/navigation-guard.ts'
import { NavigationWatch, type OwnNavigation } from '../network/navigation-watch.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import { actionErrorOf } from './site/action-error.ts'
import { ActionFailure } from './site/action-failure.ts'
import { ActionDetails, type ActionEffect, type ActionHandler, type ActionSite } from './site/action-site.ts'
import { answers } from '../cdp/targets/page-answers.ts'
import type { InputClient } from './site/client-inputs.ts'
import { describeDialog, Dialogs, requireNoDialog } from './site/dialogs.ts'
import { HANDLERS } from './kinds/handlers.ts'
import { describeTarget, locatorOf, requireRef } from './site/locate.ts'
import { PageDirectory } from '../cdp/targets/page-directory.ts'
import { SecretTyping } from './site/secret-typing.ts'
import { cutSnapshot, takeSnapshot } from './snapshot.ts'

const DEFAULT_TIMEOUT_MS = 30_000
/** Of a step's time, what is kept to find out why it failed. */
const MARGIN = { share: 0.1, most: 250 }
/** Clients that prepare a new page take a few milliseconds; one that takes longer is to blame for what was late. */
const PREPARING_MS = 100
/**
 * A page that does not answer a question of nothing hangs: as long as its step had time, within these bounds, since all
 * of a busy machine is slow.
 */
const PROOF_MS = { least: 1_000, most: 5_000 }

/** Steps that are taken whether a dialog holds up the page or not. */
const MINDS_NO_DIALOG: ReadonlySet<ActionStep['name']> = new Set(['dialog', 'openPage', 'closePage'])

const silentFor = (timeoutMs: number) =>
  `Not done within ${timeoutMs} ms: the page does not answer. Wait, or close it and open another.`

const endedFor = (timeoutMs: number) =>
  `The script was not done within ${timeoutMs} ms, and the page did not answer: what ran there was stopped.`

const heldFor = (timeoutMs: number) =>
  `Not done within ${timeoutMs} ms: an attached client holds a new page (waitForDebuggerOnStart), for at most 5 s. Try again.`

/** What callers do with the pages of one browser. */
export class PageActions {
  readonly #context: BrowserContext
  readonly #targets: TargetRegistry
  readonly #connection: CdpConnection
  readonly #pages: PageDirectory
  readonly #dialogs: Dialogs
  readonly #uploadsDir: string
  readonly #guard: NavigationGuard
  readonly #navigations: NavigationWatch
  readonly #deviceScaleFactor: number
  readonly #logger: Logger
  #refuseUpload: (bytes: number) => string | null = () => null

  constructor(
    context: BrowserContext,
    targets: TargetRegistry,
    connection: CdpConnection,
    uploadsDir: string,
    guard: NavigationGuard,
    deviceScaleFactor: number,
    logger: Logger,
  ) {
    this.#context = context
    this.#targets = targets
    this.#connection = connection
    this.#pages = new PageDirectory(context, targets, connection.barrier)
    this.#dialogs = new Dialogs(context, targets, connection, logger)
    this.typing = new SecretTyping(connection, targets, (text) => this.expectSecret(text))
    this.#uploadsDir = uploadsDir
    this.#guard = guard
    this.#deviceScaleFactor = deviceScaleFactor
    this.#navigations = new NavigationWatch(connection, targets, guard)
    this.#logger = logger
  }

  /** `refuse`: why files of so many bytes have no room in the temporary folder; null: they have. */
  limitUploads(refuse: (bytes: number) => string | null): void {
    this.#refuseUpload = refuse
  }

  /** See EventSink: told by whoever records. */
  expectSecret: (text: string) => () => void = () => () => {}
  /** Hears of all that is typed into pages. */
  readonly typing: SecretTyping

  dispose(): void {
    this.#dialogs.dispose()
  }

  /** A client is attached, and may answer dialogs itself, until `leave` is called. */
  leaveDialogsToClient(): { client: InputClient; leave: () => void } {
    return this.#dialogs.leaveToClient()
  }

  /** See NavigationWatch.follow. */
  follow(pageId: string, url: string): OwnNavigation {
    return this.#navigations.follow(pageId, url)
  }

  /** See BrowserSession.act. */
  async act(step: ActionStep, given: ActionContext): Promise<ActionOutcome> {
    const { pageId, files, refuseAddress } = given
    const details = new ActionDetails()
    const timeoutMs = 'timeoutMs' in step.input ? step.input.timeoutMs : DEFAULT_TIMEOUT_MS
    using size = this.#untilTooLarge(step.name)
    using deadline = new Deadline(Number.POSITIVE_INFINITY, [given.signal, size.signal])
    const { signal } = deadline
    let actedOn = pageId
    const { count } = this.#guard
    let own: OwnNavigation | null = null
    const script = { isRunning: false }
    try {
      const found = step.name === 'openPage' ? null : await deadline.race(this.#pages.find(pageId))
      if (!found && step.name !== 'openPage') throw new ActionFailure('PAGE_CLOSED', 'The page is not open.')
      actedOn = found?.pageId ?? null
      const site: ActionSite = {
        // Opening a page is the one step that needs none.
        page: found?.page as Page,
        pageId: actedOn,
        context: this.#context,
        deviceScaleFactor: this.#deviceScaleFactor,
        pages: this.#pages,
        sendCommand: (method, params) => this.#sendCommand(actedOn, method, params),
        script,
        whenPopupsResumed: () => this.#whenPopupsResumed(actedOn),
        dialogs: this.#dialogs,
        pausedTargets: this.#connection.barrier,
        details,
        files,
        uploadsDir: this.#uploadsDir,
        refuseUpload: (bytes) => this.#refuseUpload(bytes),
        timeoutMs,
        timeout: Math.max(1, timeoutMs - Math.min(MARGIN.most, Math.ceil(timeoutMs * MARGIN.share))),
        signal,
        refuseAddress,
        expectSecret: this.expectSecret,
        typing: this.typing,
        follow: (navigated, url) => (own = this.#navigations.follow(navigated, url)),
      }
      const effect = await deadline.race(this.#take(step, site))
      const { result = null, file = null } = effect
      const { blocked } = await this.#guard.refusedSince(effect.pageId ?? actedOn, count, own)
      if (blocked !== null) throw new ActionFailure('BLOCKED', blocked)
      // The session's URL and title are current once the outcome is answered. A step that is canceled now was done.
      await deadline.race(this.#pages.refresh()).catch(() => undefined)
      return { error: null, pageId: effect.pageId ?? actedOn, details: details.members, result, file }
    } catch (error) {
      // One that was canceled asks nothing more of a page that stands still: the end of the session waits for it.
      const isPaused = this.#connection.barrier.pausedMs > (signal.aborted ? 0 : PREPARING_MS)
      const subject = details.members['target']
      const said = signal.aborted && !(error instanceof ActionFailure)
      const opened = details.members['pageId']
      const shownOn = actedOn ?? (typeof opened === 'string' ? opened : null)
      const refusal = await this.#guard.refusedSince(shownOn, count, own)
      const why = said ? new ActionFailure('TIMEOUT', silentFor(timeoutMs)) : error
      if (!(error instanceof ActionFailure)) this.#logger.debug({ err: error, step: step.name }, 'a step failed')
      let mapped = actionErrorOf(why, typeof subject === 'string' ? subject : null, timeoutMs)
      if (refusal.blocked !== null) mapped = { code: 'BLOCKED', message: refusal.blocked }
      const { netError } = refusal
      if (netError !== null) mapped = { ...mapped, message: mapped.message.replace(/net::ERR_\w+/, netError) }
      // Where nothing answers, nothing is found and nothing done.
      const isLate = mapped.code === 'NOT_FOUND' || mapped.code === 'TIMEOUT'
      if (isLate && isPaused) mapped = { code: 'TIMEOUT', message: heldFor(timeoutMs) }
      else if (isLate && script.isRunning) {
        const ending = this.#endScript(actedOn, timeoutMs)
        // The end of the session waits for a step that was canceled.
        const ended = signal.aborted ? null : await ending
        if (ended !== null) mapped = { code: 'TIMEOUT', message: ended }
      } else if (
        isLate &&
        step.name !== 'openPage' &&
        !(await this.#answers(actedOn, signal.aborted ? 0 : timeoutMs))
      ) {
        mapped = { code: 'TIMEOUT', message: silentFor(timeoutMs) }
      }
      return { error: mapped, pageId: actedOn, details: details.members, result: null, file: null }
    }
  }

  /** See BrowserSession.observe. */
  async observe({ pageId, target, maxCharacters, signal: given }: ObservationRequest): Promise<ObservationOutcome> {
    using size = this.#untilTooLarge('observe')
    using deadline = new Deadline(Number.POSITIVE_INFINITY, [given, size.signal])
    const { signal } = deadline
    try {
      const found = await deadline.race(this.#pages.find(pageId))
      if (!found) throw new ActionFailure('PAGE_CLOSED', 'The page is not open.')
      requireNoDialog(this.#dialogs, found.page)
      const locator = target === null ? null : locatorOf(found.page, target)
      if (locator && target?.ref) await requireRef(locator, target.ref, signal)
      if (locator && (await deadline.race(locator.count())) === 0) {
        throw new ActionFailure('NOT_FOUND', `${describeTarget(target!)}: element not found.`)
      }
      const snapshot = takeSnapshot(found.page, locator?.first() ?? null, signal)
      const [text] = await deadline.race(Promise.all([snapshot, this.#pages.refresh()]))
      const { url, title } = this.#pages.state(pageId) ?? { url: found.page.url(), title: '' }
      return { observation: { url, title, ...cutSnapshot(text, maxCharacters) }, error: null }
    } catch (error) {
      const isLate = signal.aborted && !(error instanceof ActionFailure)
      const why = isLate ? new ActionFailure('TIMEOUT', 'The page does not answer.') : error
      const subject = target === null ? null : describeTarget(target)
      return { observation: null, error: actionErrorOf(why, subject, DEFAULT_TIMEOUT_MS) }
    }
  }

  #whenPopupsResumed(pageId: string | null): Promise<void> | null {
    const targetId = pageId === null ? null : this.#targets.targetIdOf(pageId)
    return targetId === null ? null : this.#connection.barrier.whenPopupsResumed(targetId)
  }

  /** What the browser had told before the answer, such as a new page, is known by then. */
  async #sendCommand<M extends CdpMethod>(
    pageId: string | null,
    method: M,
    params: CdpParams<M>,
  ): Promise<CdpResult<M>> {
    const sessionId = pageId === null ? null : this.#targets.sessionIdOf(pageId)
    if (sessionId === null) throw new TargetGone()
    const answer = await this.#connection.sendInOrder(method, params, sessionId)
    // Playwright emits what it received in separate tasks.
    await nextTurn()
    return answer
  }

  /** Playwright asks again for what was too large, as if the page had navigated, until its time is up. */
  #untilTooLarge(name: ActionStep['name'] | 'observe'): Disposable & { signal: AbortSignal } {
    const stop = new AbortController()
    const code = name === 'evaluate' ? 'SCRIPT_ERROR' : 'NOT_ACTIONABLE'
    const failure = new ActionFailure(
      code,
      'The result is too large to process: ask for less of the page, or for a JPEG.',
    )
    const unlisten = this.#connection.onTooLargeResult(() => stop.abort(failure))
    return { signal: stop.signal, [Symbol.dispose]: unlisten }
  }

  /** See BrowserSession.picture. */
  async picture(pageId: string, quality: number, signal: AbortSignal): Promise<Uint8Array | null> {
    try {
      const found = await Deadline.race(this.#pages.find(pageId), signal)
      if (!found) return null
      // It waits for the page's fonts, too, and on a busy machine for a frame: the caller says for how long.
      const taking = found.page.screenshot({ type: 'jpeg', quality, timeout: 0, scale: 'css', signal })
      return await Deadline.race(taking, signal)
    } catch (error) {
      this.#logger.debug({ err: error }, 'no picture of a page could be had')
      return null
    }
  }

  async #answers(pageId: string | null, timeoutMs: number): Promise<boolean> {
    const proofMs = Math.min(PROOF_MS.most, Math.max(PROOF_MS.least, timeoutMs))
    const found = await Deadline.result(this.#pages.find(pageId), proofMs)
    return found !== null && answers(found.page, proofMs, this.#connection.barrier)
  }

  /**
   * Ends the script of a step if it blocks its page, and returns what to say of that; null: the page answers. A page that
   * is only slow keeps its script, since what the browser would end is the next one. Never rejects.
   */
  async #endScript(pageId: string | null, timeoutMs: number): Promise<string | null> {
    try {
      const found = await Deadline.result(this.#pages.find(pageId), PROOF_MS.most)
      if (!found || (await answers(found.page, PROOF_MS.most, this.#connection.barrier))) return null
      if (found.page.isClosed() || this.#dialogs.openOn(found.page)) return null
      const isEnded = await Deadline.isMet(this.#pages.endScript(found.page), PROOF_MS.least)
      return isEnded ? endedFor(timeoutMs) : silentFor(timeoutMs)
    } catch (error) {
      this.#logger.debug({ err: error }, 'a script could not be ended')
      return null
    }
  }

  /** A dialog holds up whatever opened it: the step has done its part then, and a later one answers the dialog. */
  async #take(step: ActionStep, site: ActionSite): Promise<ActionEffect> {
    const handler = HANDLERS[step.name] as ActionHandler<ActionStep['input']>
    if (MINDS_NO_DIALOG.has(step.name)) return handler(site, step.input)
    requireNoDialog(this.#dialogs, site.page)
    const { opened, stop } = this.#dialogs.watch(site.page)
    try {
      const taking = handler(site, step.input)
      const first = await Promise.race([taking, opened])
      if (!('message' in first)) return first
      taking.catch((error: unknown) => this.#logger.debug({ err: error }, 'what a dialog held up failed later'))
      site.details.note({ dialog: describeDialog(first) })
      return {}
    } finally {
      stop()
    }
  }
}
