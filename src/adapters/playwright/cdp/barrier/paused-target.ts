import type { TargetInfo } from '../protocol/cdp-events.ts'
import type { Party } from './party.ts'

/** How long a target may be held in all: others wait for it, its opener too. Libraries take a few milliseconds. */
export const HOLDING_MS = 5_000
/** How long after the first party another may be told of the target; measured: 62 ms. One that is not, holds nothing. */
const ARRIVING_MS = 1_000
/** A popup without an opener answers nothing before it runs: a client that waits for answers first would wait for ever. */
const SILENCE_MS = 250

/** A session with the target, or with what made it. */
export interface HoldingSession {
  /** Null: of the connection itself, which has none. */
  readonly id: string | null
  readonly party: Party
  readonly parent: HoldingSession | null
  /** It was not told of a target that it had asked to hold: it counts as a holder again once it is told of one. */
  misses: boolean
}

interface HeldTargetGround {
  server: Party
  /** Resolves once the target has done what these sessions have asked of it, or within a bound. Never rejects. */
  heard(sessionIds: readonly string[]): Promise<void>
  /** Tells the browser that the session waits no more. */
  letRun(sessionId: string): void
  /** It was held for too long. */
  late(): void
  /** It is held no more; `isReleased`: because it was released, not because nobody was left to wait for. */
  ended(isReleased: boolean): void
}

/** What follows once all have released a target. */
export interface Release {
  /** Answers whoever released it, before the browser can. */
  answer(): void
  /** Tells the browser. */
  send(): void
}

interface Holder {
  hasReleased: boolean
  /** Its sessions with the target. */
  readonly sessions: Map<HoldingSession, Asking>
  /** By which it was expected, before it had a session. */
  expectedBy: HoldingSession | null
}

interface Asking {
  unanswered: number
  silence: NodeJS.Timeout | undefined
}

/** One target that waits until all who hold it have released it. */
export class PausedTarget {
  readonly isPage: boolean
  /** The page that stands still meanwhile; null: none does. */
  readonly openerId: string | null
  /** On the clock of performance.now. */
  readonly since = performance.now()
  readonly #ground: HeldTargetGround
  readonly #isSilent: boolean
  readonly #holders = new Map<Party, Holder>()
  /** Of those who have said that it may run. */
  #kept: { session: HoldingSession; release: Release }[] = []
  readonly #timers: NodeJS.Timeout[]
  #isHearing = false
  #isOver = false

  /** `milliseconds`: for how long at most. */
  constructor({ type, canAccessOpener, openerId }: TargetInfo, milliseconds: number, ground: HeldTargetGround) {
    this.isPage = type === 'page'
    this.openerId = canAccessOpener === true && openerId !== undefined ? openerId : null
    this.#ground = ground
    this.#isSilent = this.isPage && canAccessOpener !== true
    const late = () => {
      ground.late()
      this.giveUp()
    }
    this.#timers = [setTimeout(late, milliseconds), setTimeout(() => this.#dismissAbsent(), ARRIVING_MS)]
  }

  /** A session that waits was reported to its party. */
  arrived(session: HoldingSession): void {
    const holder = this.#holderOf(session.party)
    holder.sessions.set(session, { unanswered: 0, silence: undefined })
    holder.expectedBy = null
    if (session.parent) session.parent.misses = false
  }

  /** A party that was expected is told of it on its session with the page's tab. */
  arrivedByTab(session: HoldingSession): void {
    const holder = this.#holders.get(session.party)
    if (!holder?.expectedBy) return
    holder.expectedBy.misses = false
    this.arrived(session)
  }

  /** A party has asked, on this session with the parent, that such targets wait for it. */
  expect(by: HoldingSession): void {
    if (by.misses) return
    const holder = this.#holderOf(by.party)
    if (holder.sessions.size === 0) holder.expectedBy = by
  }

  /** The party lets it run; the rest follows when all have. */
  release(session: HoldingSession, release: Release): void {
    this.#kept.push({ session, release })
    const holder = this.#holders.get(session.party)
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

  /** A session has ended: one with it, or one by which a party was expected. */
  ended(session: HoldingSession): void {
    this.#kept = this.#kept.filter((kept) => kept.session !== session)
    const holder = this.#holders.get(session.party)
    if (!holder) return
    clearTimeout(holder.sessions.get(session)?.silence)
    holder.sessions.delete(session)
    if (holder.expectedBy === session) holder.expectedBy = null
    if (holder.sessions.size === 0 && holder.expectedBy === null) this.#holders.delete(session.party)
    this.#settle()
  }

  /** Lets it run, whoever has not released it yet. */
  giveUp(): void {
    const late = [...this.#holders.values()].filter(({ hasReleased }) => !hasReleased)
    const ids = late.flatMap(({ sessions }) => [...sessions.keys()].map(({ id }) => id!))
    this.#end(true, ids)
  }

  #holderOf(party: Party): Holder {
    const known = this.#holders.get(party)
    if (known) return known
    const holder: Holder = { hasReleased: false, sessions: new Map(), expectedBy: null }
    this.#holders.set(party, holder)
    return holder
  }

  #askingOf(session: HoldingSession): Asking | null {
    const holder = this.#holders.get(session.party)
    if (!this.#isSilent || !holder || holder.hasReleased || session.party === this.#ground.server) return null
    return holder.sessions.get(session) ?? null
  }

  #awaitSilence(session: HoldingSession, asking: Asking): void {
    clearTimeout(asking.silence)
    if (asking.unanswered === 0) return
    const silent = () =>
      this.release(session, { answer: () => undefined, send: () => this.#ground.letRun(session.id!) })
    asking.silence = setTimeout(silent, SILENCE_MS)
  }

  #dismissAbsent(): void {
    for (const [party, { sessions, expectedBy }] of this.#holders) {
      if (sessions.size > 0) continue
      if (expectedBy) expectedBy.misses = true
      this.#holders.delete(party)
    }
    this.#settle()
  }

  #settle(): void {
    if (!this.#isReleased || this.#isHearing) return
    if (this.isPage || this.#kept.length === 0) return this.#end(this.#kept.length > 0)
    // A worker hears each session by a way of its own: the release of one might come before what another has prepared.
    this.#isHearing = true
    const ids = [...this.#holders.values()].flatMap(({ sessions }) => [...sessions.keys()].map(({ id }) => id!))
    void this.#ground.heard(ids).then(() => {
      this.#isHearing = false
      if (this.#isReleased) this.#end(this.#kept.length > 0)
    })
  }

  get #isReleased(): boolean {
    return [...this.#holders.values()].every(({ hasReleased }) => hasReleased)
  }

  /** `forced`: ids of sessions that have not released it, and get no say. */
  #end(isReleased: boolean, forced: readonly string[] = []): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const { sessions } of this.#holders.values())
      for (const { silence } of sessions.values()) clearTimeout(silence)
    this.#ground.ended(isReleased)
    // The first that the browser hears lets the target run, and its script may stop for a dialog: the browser would answer
    // the others after that, and Playwright would be told of a dialog of a page that it takes for not yet opened.
    for (const { release } of this.#kept) release.answer()
    for (const id of forced) this.#ground.letRun(id)
    for (const { release } of this.#kept) release.send()
  }
}
