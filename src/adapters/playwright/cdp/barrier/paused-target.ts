import { startLateTimer } from '../../../../async/late-timer.ts'
import type { TargetInfo } from '../protocol/cdp-events.ts'
import type { CdpSessionOwner } from './cdp-session-owner.ts'

/**
 * Longest time that a target may be held in all: others wait for it, its opener too. Libraries take a few milliseconds.
 */
export const HOLDING_MS = 5_000
/**
 * How much later than the first owner another one may learn of the target; measured: 62 ms. After that it is no holder.
 */
const ARRIVING_MS = 1_000
/** A popup without an opener sends no responses before it runs: a client that awaits them first would wait forever. */
const SILENCE_MS = 250

/**
 * How long a released worker may take to process what prepared it. It answers when its thread has started, and so not
 * before its script has arrived; until then, no session could make it run.
 */
const PROCESSING_MS = 30_000

/** A session with the target, or with its parent. */
export interface HoldingSession {
  /** Null: the connection itself, which has no session id. */
  readonly id: string | null
  readonly owner: CdpSessionOwner
  readonly parent: HoldingSession | null
  /**
   * It did not learn in time of a target that it had asked to hold. It counts as a holder again after the next report
   * of one.
   */
  misses: boolean
}

interface PausedTargetHost {
  server: CdpSessionOwner
  /** Resolves once the target has processed the commands of the session, or the session is gone. Never rejects. */
  processed(sessionId: string): Promise<void>
  /** Sends `Runtime.runIfWaitingForDebugger` for the session. */
  resumeTarget(sessionId: string): void
  /** It was held for too long. */
  late(): void
  /** It is no longer held; `isReleased`: it was released, rather than left without holders. */
  ended(isReleased: boolean): void
}

/** Deferred steps of a release, run once all holders have released the target. */
export interface Release {
  /** Responds to the releasing owner before the browser can. */
  answer(): void
  /** Sends the command to the browser. */
  send(): void
}

interface Holder {
  hasReleased: boolean
  /** Its sessions with the target. */
  readonly sessions: Map<HoldingSession, Asking>
  /** The session that made it an expected holder before it had one with the target. */
  expectedBy: HoldingSession | null
}

interface Asking {
  unanswered: number
  /** Cancels the release for its silence. */
  heard(): void
}

/** A target that stays paused until all its holders have released it. */
export class PausedTarget {
  readonly isPage: boolean
  /** Target id of the opener, which is suspended meanwhile; null: there is none, or it is not suspended. */
  readonly openerId: string | null
  /** On the clock of performance.now. */
  readonly since = performance.now()
  readonly #host: PausedTargetHost
  /** A popup that its opener can reach: it pauses the thread that they share. */
  readonly #pausesOpener: boolean
  readonly #isSilent: boolean
  readonly #holders = new Map<CdpSessionOwner, Holder>()
  /** Releases received so far. */
  #kept: { session: HoldingSession; release: Release }[] = []
  /** Stop its timers. */
  readonly #timers: (() => void)[]
  /** Sessions whose commands the worker has, or has not, processed since all holders released it. */
  readonly #processed = new Map<HoldingSession, boolean>()
  #isOver = false

  /** `milliseconds`: the longest time to hold it. */
  constructor({ type, canAccessOpener, openerId }: TargetInfo, milliseconds: number, host: PausedTargetHost) {
    this.isPage = type === 'page'
    this.openerId = canAccessOpener === true && openerId !== undefined ? openerId : null
    this.#host = host
    this.#pausesOpener = this.isPage && canAccessOpener === true
    this.#isSilent = this.isPage && !this.#pausesOpener
    const late = () => {
      // Nobody holds it: the worker itself is what takes so long.
      if (this.#processed.size > 0) return
      host.late()
      this.giveUp()
    }
    this.#timers = [startLateTimer(late, milliseconds), startLateTimer(() => this.#dismissAbsent(), ARRIVING_MS)]
  }

  /** A paused session was reported to its owner. */
  arrived(session: HoldingSession): void {
    const holder = this.#holderOf(session.owner)
    holder.sessions.set(session, { unanswered: 0, heard: () => undefined })
    holder.expectedBy = null
    if (session.parent) session.parent.misses = false
  }

  /** An expected owner learns of the target on its session with the page's tab. */
  arrivedByTab(session: HoldingSession): void {
    const holder = this.#holders.get(session.owner)
    if (!holder?.expectedBy) return
    holder.expectedBy.misses = false
    this.arrived(session)
  }

  /** On this session with the parent, an owner has asked to pause such targets. */
  expect(by: HoldingSession): void {
    if (by.misses) return
    const holder = this.#holderOf(by.owner)
    if (holder.sessions.size === 0) holder.expectedBy = by
  }

  /** The owner releases the target, which runs once all holders have. */
  release(session: HoldingSession, release: Release): void {
    this.#kept.push({ session, release })
    const holder = this.#holders.get(session.owner)
    if (holder) holder.hasReleased = true
    this.#settle()
  }

  /** A client sent another command to it. */
  asked(session: HoldingSession): void {
    const asking = this.#askingOf(session)
    if (!asking) return
    asking.unanswered += 1
    this.#awaitSilence(session, asking)
  }

  answered(session: HoldingSession): void {
    const asking = this.#askingOf(session)
    if (!asking) return
    asking.unanswered = Math.max(0, asking.unanswered - 1)
    this.#awaitSilence(session, asking)
  }

  /** A session has ended: one with the target, or one that made an owner an expected holder. */
  ended(session: HoldingSession): void {
    this.#kept = this.#kept.filter((kept) => kept.session !== session)
    if (this.#processed.has(session)) this.#processed.set(session, true)
    const holder = this.#holders.get(session.owner)
    if (!holder) return
    holder.sessions.get(session)?.heard()
    holder.sessions.delete(session)
    if (holder.expectedBy === session) holder.expectedBy = null
    if (holder.sessions.size === 0 && holder.expectedBy === null) this.#holders.delete(session.owner)
    this.#settle()
  }

  /** Resumes the target without waiting for the remaining holders. */
  giveUp(): void {
    const late = [...this.#holders.values()].filter(({ hasReleased }) => !hasReleased)
    const ids = late.flatMap(({ sessions }) => [...sessions.keys()].map(({ id }) => id!))
    this.#end(true, ids)
  }

  #holderOf(owner: CdpSessionOwner): Holder {
    const known = this.#holders.get(owner)
    if (known) return known
    const holder: Holder = { hasReleased: false, sessions: new Map(), expectedBy: null }
    this.#holders.set(owner, holder)
    return holder
  }

  #askingOf(session: HoldingSession): Asking | null {
    const holder = this.#holders.get(session.owner)
    if (!this.#isSilent || !holder || holder.hasReleased || session.owner === this.#host.server) return null
    return holder.sessions.get(session) ?? null
  }

  #awaitSilence(session: HoldingSession, asking: Asking): void {
    asking.heard()
    if (asking.unanswered === 0) return
    const silent = () =>
      this.release(session, { answer: () => undefined, send: () => this.#host.resumeTarget(session.id!) })
    asking.heard = startLateTimer(silent, SILENCE_MS)
  }

  #dismissAbsent(): void {
    for (const [owner, { sessions, expectedBy }] of this.#holders) {
      if (sessions.size > 0) continue
      if (expectedBy) expectedBy.misses = true
      this.#holders.delete(owner)
    }
    this.#settle()
  }

  #settle(): void {
    if (this.#isOver || !this.#isReleased) return
    // A worker receives each session's commands separately: one session's release might overtake another's preparation.
    if (!this.isPage && this.#kept.length > 0) this.#awaitProcessed()
    if ([...this.#processed.values()].every(Boolean)) this.#end(this.#kept.length > 0)
  }

  #awaitProcessed(): void {
    if (this.#processed.size === 0) this.#timers.push(startLateTimer(() => this.giveUp(), PROCESSING_MS))
    for (const { sessions } of this.#holders.values()) {
      for (const session of sessions.keys()) {
        if (this.#processed.has(session)) continue
        this.#processed.set(session, false)
        void this.#host.processed(session.id!).then(() => {
          this.#processed.set(session, true)
          this.#settle()
        })
      }
    }
  }

  get #isReleased(): boolean {
    return [...this.#holders.values()].every(({ hasReleased }) => hasReleased)
  }

  /** `forced`: ids of sessions that have not released it and are overruled. */
  #end(isReleased: boolean, forced: readonly string[] = []): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const stop of this.#timers) stop()
    for (const { sessions } of this.#holders.values()) for (const asking of sessions.values()) asking.heard()
    this.#host.ended(isReleased)
    // The first release that the browser processes resumes the target, and its script may open a dialog. The browser
    // would respond to the other releases only after that, and Playwright would learn of a dialog in a page that it
    // does not consider open yet.
    for (const { release } of this.#kept) release.answer()
    if (this.#pausesOpener) return this.#sendOne(forced)
    for (const id of forced) this.#host.resumeTarget(id)
    for (const { release } of this.#kept) release.send()
  }

  /**
   * Any release resumes the thread, for whichever of its pages it is. A second one would resume it where a script already
   * waits for the next popup, which would then run before anybody has prepared it (measured). All other targets wait for
   * each session.
   */
  #sendOne(forced: readonly string[]): void {
    // Our own session outlives those of clients.
    const kept = this.#kept.find(({ session }) => session.owner === this.#host.server) ?? this.#kept[0]
    if (kept) kept.release.send()
    else if (forced[0] !== undefined) this.#host.resumeTarget(forced[0])
  }
}
