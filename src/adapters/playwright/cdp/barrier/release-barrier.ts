import type { Logger } from '../../../../logger.ts'
import type { CdpEvents, TargetInfo } from '../protocol/cdp-events.ts'
import { readAutoAttach } from './auto-attach.ts'
import { PausedTarget, HOLDING_MS, type Release } from './paused-target.ts'
import type { CdpSessionOwner } from './cdp-session-owner.ts'
import type { KnownTarget, AttachedSession } from './attached-session.ts'

interface Command {
  method?: string
  params?: object
  sessionId?: string | undefined
}

/** The browser itself responds to the others, whatever the page does. */
const ofPage = (method: string | undefined) => method !== undefined && !/^(Browser|Target)\./.test(method)

interface BarrierHost {
  /** Sends `Runtime.runIfWaitingForDebugger` for the session. */
  resumeTarget(sessionId: string): void
  /** Resolves once the target has processed the commands of the session, or the session is gone. Never rejects. */
  processed(sessionId: string): Promise<void>
  logger: Logger
}

const BROWSER = ''
/** The server's own connection has no session id. */
const OWN_ROOT = ''
/**
 * For all other types Chromium waits for each session separately, and reports frames to the second session only after
 * the first has released them (measured): waiting for all sessions would never end.
 */
const TYPES: ReadonlySet<string> = new Set(['page', 'worker', 'shared_worker', 'service_worker'])
/** The command by which an owner releases a target. */
export const RUN = 'Runtime.runIfWaitingForDebugger'

/**
 * Resumes a target once all its holders have released it. Chromium starts a paused target (`waitForDebuggerOnStart`) at
 * the first `Runtime.runIfWaitingForDebugger` of any session, so with two owners attached, the popup of one would run
 * without the settings that the other was about to apply. The barrier keeps each such command until every holder has
 * sent its own.
 *
 * Holders are computed from the `Target.setAutoAttach` of each owner's sessions with the parent, since an owner may
 * learn of a target tens of milliseconds after another has released it.
 */
export class ReleaseBarrier {
  /** The server itself: Playwright and our own listeners. */
  readonly server: CdpSessionOwner = {}
  readonly #host: BarrierHost
  readonly #sessions = new Map<string, AttachedSession>()
  readonly #targets = new Map<string, KnownTarget>()
  readonly #browser: KnownTarget = {
    id: BROWSER,
    type: 'browser',
    sessions: new Set(),
    held: null,
    waitsSince: null,
    isReleased: true,
  }
  readonly #held = new Set<PausedTarget>()
  readonly #clients = new Set<CdpSessionOwner>()
  #isOpen = false
  #freed: PromiseWithResolvers<void> | null = null

  constructor(host: BarrierHost) {
    this.#host = host
    this.#add(OWN_ROOT, null, this.server, this.#browser, null)
  }

  /** An owner attached to the browser with a session of its own. */
  enter(owner: CdpSessionOwner, rootId: string): void {
    // The same session was reported to the server, too.
    this.detached(rootId)
    this.#add(rootId, rootId, owner, this.#browser, null)
    this.#clients.add(owner)
  }

  /** The owner is gone or about to be: it no longer holds anything, and will release nothing more. */
  leave(owner: CdpSessionOwner, rootId: string): void {
    this.#clients.delete(owner)
    this.detached(rootId)
  }

  /** The browser reports a new session to an owner, on its session with the parent. */
  attached(event: CdpEvents['Target.attachedToTarget'], parentId: string | undefined): void {
    const parent = this.#sessions.get(parentId ?? OWN_ROOT)
    if (!parent || this.#sessions.has(event.sessionId)) return
    const { targetInfo: info, sessionId, waitingForDebugger } = event
    const session = this.#add(sessionId, sessionId, parent.owner, this.#targetOf(info), parent)
    if (waitingForDebugger) session.target.waitsSince ??= performance.now()
    if (waitingForDebugger) this.#hold(session, parent, info)
    // Puppeteer gets a page below its tab, reported as not paused although it is.
    else if (parent.target.type === 'tab') session.target.held?.arrivedByTab(session)
  }

  /** The session has ended, and its child sessions, which the browser does not report. */
  detached(sessionId: string): void {
    const session = this.#sessions.get(sessionId)
    if (!session) return
    for (const child of session.children) this.detached(child.id!)
    const { target, parent } = session
    this.#sessions.delete(sessionId)
    parent?.children.delete(session)
    target.sessions.delete(session)
    for (const held of this.#held) held.ended(session)
    if (target.sessions.size === 0 && target !== this.#browser) this.#targets.delete(target.id)
  }

  /**
   * Passes a command of an owner on: `send` is called at once, or when the target may run; never if the session ends
   * before. If the command was kept, `answer` is called first, and the browser's response is discarded.
   */
  pass({ method, params = {}, sessionId }: Command, send: () => void, answer?: () => void): void {
    const session = this.#sessions.get(sessionId ?? OWN_ROOT)
    const held = session?.target.held
    if (session && method === 'Target.setAutoAttach') session.autoAttach = readAutoAttach(params)
    if (session && method === 'Target.autoAttachRelated') session.autoAttach = null
    if (session && held && method === RUN) return held.release(session, this.#releaseOf(session, send, answer))
    if (session && held && ofPage(method)) held.asked(session)
    send()
  }

  #releaseOf({ id }: AttachedSession, send: () => void, answer: (() => void) | undefined): Release {
    return answer ? { answer, send: () => this.#host.resumeTarget(id!) } : { answer: () => undefined, send }
  }

  /** The browser responded to a command on the session of a client. */
  answered(method: string, sessionId: string): void {
    const session = this.#held.size === 0 || !ofPage(method) ? undefined : this.#sessions.get(sessionId)
    session?.target.held?.answered(session)
  }

  /** Milliseconds for which an owner may still hold the target of the session; all owners share one limit. */
  timeLeft(sessionId: string): number {
    const session = this.#sessions.get(sessionId)
    return session ? this.#timeLeftOf(session.target) : HOLDING_MS
  }

  #timeLeftOf({ waitsSince }: KnownTarget): number {
    return waitsSince === null ? HOLDING_MS : Math.max(0, waitsSince + HOLDING_MS - performance.now())
  }

  /**
   * Null: no page is held. Otherwise resolves when none is; until then, neither those pages nor their openers respond.
   */
  whenResumed(): Promise<void> | null {
    if (!this.#hasPausedPage) return null
    this.#freed ??= Promise.withResolvers()
    return this.#freed.promise
  }

  /** The same, if a popup of this page is held: the page is suspended, or is about to be. */
  whenPopupsResumed(targetId: string): Promise<void> | null {
    return [...this.#held].some(({ openerId }) => openerId === targetId) ? this.whenResumed() : null
  }

  /** Milliseconds for which a page has been held; 0: none is. */
  get pausedMs(): number {
    const since = [...this.#held].filter(({ isPage }) => isPage).map((held) => held.since)
    return since.length === 0 ? 0 : performance.now() - Math.min(...since)
  }

  get #hasPausedPage(): boolean {
    return [...this.#held].some(({ isPage }) => isPage)
  }

  /** From now on, every target runs at its first release; those that are held are resumed at once. */
  open(): void {
    this.#isOpen = true
    for (const held of this.#held) held.giveUp()
  }

  #add(
    key: string,
    id: string | null,
    owner: CdpSessionOwner,
    target: KnownTarget,
    parent: AttachedSession | null,
  ): AttachedSession {
    const session: AttachedSession = { id, owner, target, parent, children: new Set(), autoAttach: null, misses: false }
    this.#sessions.set(key, session)
    target.sessions.add(session)
    parent?.children.add(session)
    return session
  }

  #targetOf({ targetId, type }: TargetInfo): KnownTarget {
    if (type === 'browser') return this.#browser
    const known = this.#targets.get(targetId)
    if (known) return known
    const target: KnownTarget = {
      id: targetId,
      type,
      sessions: new Set(),
      held: null,
      waitsSince: null,
      isReleased: false,
    }
    this.#targets.set(targetId, target)
    return target
  }

  #hold(session: AttachedSession, parent: AttachedSession, info: TargetInfo): void {
    const { target } = session
    // Without clients, the server has no other owner to wait for.
    if (this.#isOpen || target.isReleased || this.#clients.size === 0 || !TYPES.has(info.type)) return
    const held = (target.held ??= this.#holdNew(target, info))
    held.arrived(session)
    // Sessions with the browser get workers of a page only if they asked for that page by its id.
    const isRelated = parent.target === this.#browser && info.type === 'worker'
    for (const beside of isRelated ? [] : parent.target.sessions) {
      const { autoAttach } = beside
      const isByTab = info.type === 'page' && autoAttach?.pauses('tab') === true
      if (isByTab || autoAttach?.pauses(info.type) === true) held.expect(beside)
    }
    for (const known of target.sessions) held.arrivedByTab(known)
  }

  #holdNew(target: KnownTarget, info: TargetInfo): PausedTarget {
    const held: PausedTarget = new PausedTarget(info, this.#timeLeftOf(target), {
      server: this.server,
      processed: (sessionId) => this.#host.processed(sessionId),
      resumeTarget: (sessionId) => this.#host.resumeTarget(sessionId),
      late: () =>
        this.#host.logger.info({ type: info.type }, 'a client held a new target for too long; it was resumed'),
      ended: (isReleased) => {
        target.held = null
        target.isReleased = isReleased
        this.#held.delete(held)
        if (this.#hasPausedPage) return
        this.#freed?.resolve()
        this.#freed = null
      },
    })
    this.#held.add(held)
    return held
  }
}
