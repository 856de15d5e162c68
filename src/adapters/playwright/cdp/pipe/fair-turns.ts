import { unowned } from '../../../../fault-owner.ts'

/** Work that comes in pieces: what one browser's pipe has brought. */
export interface Turns {
  /** Works until about the time (performance.now()); whether more could be done at once. Never throws. */
  work(until: number): boolean
}

/** Milliseconds of the server's time that a pipe has taken beyond its share, when it was charged last. */
interface Budget {
  level: number
  at: number
  /** Since when it is near its end, whatever was charged. */
  lowSince: number
}

/** What one pipe may take of a turn of the event loop. */
const SLICE_MS = 2
/** What all of them may take that have more to do than their share. */
const TURN_MS = 4
/** How far whoever was idle is ahead of those that are not. */
const HEAD_START_MS = 5
/**
 * What each pipe may take of the server's time in the long run while others are in use: about 1,300 entries a second.
 * Measured on two cores with the embedded database beside a page that logs without end (p99 of another session's lines
 * against itself, quiet, three runs each): without a share 8 to 17 times, at 0.3 0.9 to 9 times, at 0.15 0.6 to 2.9 times.
 */
const SHARE = 0.15
/** … how many milliseconds more at once, … */
const BURST_MS = 300
/** … and how much more than that counts against it, so that none waits for long because of what it did when it was alone. */
const MOST_DEBT_MS = 60
/** A pipe is in use for so long after it brought something. */
const IN_USE_MS = 1_000

/**
 * Shares the event loop among the pipes of all browsers. Whoever took less time than the others is served at once; those
 * that always have more to do take turns, a slice each, and together leave most of each turn of the loop to everything
 * else: timers, requests, commits. While others are in use, one that floods is paused above its share: the browser of a
 * quiet page needs a core as well, and the database is everybody's. What it has to say waits in the browser meanwhile.
 */
export class FairTurns {
  readonly #now: () => number
  readonly #sliceMs: number
  readonly #turnMs: number
  /** Time used, in milliseconds, comparable among those that are busy. */
  readonly #used = new WeakMap<Turns, number>()
  readonly #waiting = new Set<Turns>()
  /** Time used by the one that was served least of those that had to wait. */
  #clock = 0
  #spentMs = 0
  #isScheduled = false
  readonly #budgets = new WeakMap<Turns, Budget>()
  /** When each pipe of a session brought something last, the oldest first. */
  readonly #woken = new Map<Turns, number>()
  /** Those of sessions. */
  readonly #taken = new WeakSet<Turns>()
  /** Those that may take more than their share. */
  readonly #released = new WeakSet<Turns>()
  /** Until one of those that wait is within its share again. */
  #pause: NodeJS.Timeout | undefined

  constructor(sliceMs: number = SLICE_MS, turnMs: number = TURN_MS, now: () => number = () => performance.now()) {
    this.#now = now
    this.#sliceMs = sliceMs
    this.#turnMs = turnMs
  }

  /** The pipe is of a session now: for one that is only kept ready, nobody else is paused. */
  take(turns: Turns): void {
    this.#taken.add(turns)
  }

  /** There is something to do. May do it at once. */
  wake(turns: Turns): void {
    const now = this.#now()
    this.#woken.delete(turns)
    if (this.#taken.has(turns)) this.#woken.set(turns, now)
    this.#forgetIdle(now)
    if (this.#waiting.has(turns)) return
    if (this.#pauseOf(turns, now) > 0) {
      this.#waiting.add(turns)
      return this.#schedule()
    }
    const used = Math.max(this.#used.get(turns) ?? 0, this.#clock - HEAD_START_MS)
    this.#used.set(turns, used)
    const isFree = this.#waiting.size === 0 && this.#spentMs < this.#turnMs
    if (isFree || used < this.#clock) this.#serve(turns)
    else this.#waiting.add(turns)
    this.#schedule()
  }

  /** Time that the pipe takes elsewhere, because of what it brought. */
  charge(turns: Turns, milliseconds: number): void {
    const now = this.#now()
    const { level, at, lowSince } = this.#budgets.get(turns) ?? { level: 0, at: now, lowSince: now }
    const left = Math.max(0, level - (now - at) * SHARE)
    this.#budgets.set(turns, {
      level: Math.min(left + milliseconds, BURST_MS + MOST_DEBT_MS),
      at: now,
      lowSince: left < BURST_MS / 2 ? now : lowSince,
    })
  }

  /** For how many milliseconds the pipe has brought at least about what it may in the long run. */
  behindMs(turns: Turns): number {
    const budget = this.#budgets.get(turns)
    return budget ? this.#now() - budget.lowSince : 0
  }

  /** From now on the pipe is served like one that nobody is beside: it ends, and what it still has to say has a deadline. */
  release(turns: Turns): void {
    this.#released.add(turns)
    if (this.#waiting.has(turns)) this.#schedule()
  }

  /** The pipe has ended: from now on nobody is paused for it. */
  end(turns: Turns): void {
    this.#taken.delete(turns)
    this.release(turns)
    if (this.#woken.delete(turns) && this.#waiting.size > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    clearTimeout(this.#pause)
    const now = this.#now()
    const pauseMs = Math.min(...[...this.#waiting].map((turns) => this.#pauseOf(turns, now)))
    if (this.#waiting.size > 0 && pauseMs > 0) {
      this.#pause = unowned(() => setTimeout(() => this.#turn(), pauseMs))
      return
    }
    this.#isScheduled = true
    unowned(() => setImmediate(() => this.#turn()))
  }

  /** How many milliseconds the pipe has to wait until it is within its share again; 0 where nobody else is in use. */
  #pauseOf(turns: Turns, now: number): number {
    const budget = this.#budgets.get(turns)
    if (!budget || this.#released.has(turns)) return 0
    const debtMs = budget.level - (now - budget.at) * SHARE - BURST_MS
    return debtMs > 0 && this.#isOtherInUse(turns, now) ? debtMs / SHARE : 0
  }

  #isOtherInUse(turns: Turns, now: number): boolean {
    this.#forgetIdle(now)
    return this.#woken.size > (this.#woken.has(turns) ? 1 : 0)
  }

  #forgetIdle(now: number): void {
    for (const [turns, wokenAt] of this.#woken) {
      if (now - wokenAt <= IN_USE_MS) return
      this.#woken.delete(turns)
    }
  }

  #turn(): void {
    this.#isScheduled = false
    this.#spentMs = 0
    const now = this.#now()
    const order = [...this.#waiting].toSorted((one, other) => this.#used.get(one)! - this.#used.get(other)!)
    for (const turns of order) {
      if (this.#pauseOf(turns, now) > 0) continue
      this.#serve(turns)
      if (this.#spentMs >= this.#turnMs) break
    }
    if (this.#waiting.size > 0) this.#schedule()
  }

  #serve(turns: Turns): void {
    const used = this.#used.get(turns)!
    this.#clock = Math.max(this.#clock, used)
    const start = this.#now()
    const hasMore = turns.work(start + this.#sliceMs)
    const took = this.#now() - start
    this.#spentMs += took
    this.#used.set(turns, used + took)
    this.charge(turns, took)
    if (hasMore) this.#waiting.add(turns)
    else this.#waiting.delete(turns)
  }
}
