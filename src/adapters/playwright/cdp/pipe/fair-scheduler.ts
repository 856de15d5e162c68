import { unowned } from '../../../../fault-owner.ts'

/** Divisible work: the messages of one browser's pipe. */
export interface ScheduledWork {
  /** Works until about that time (performance.now()). Returns whether more could be done at once. Never throws. */
  work(until: number): boolean
}

/** Milliseconds of server time that a pipe has used beyond its share, as of the last charge. */
interface Budget {
  level: number
  at: number
  /** Since when the budget has been nearly exhausted. */
  lowSince: number
}

/** Longest time of one pipe in a turn of the event loop. */
const SLICE_MS = 2
/** Longest time in a turn of all pipes that exceed their share. */
const TURN_MS = 4
/** Head start of a pipe that was idle. */
const HEAD_START_MS = 5
/**
 * Each pipe's long-term share of the server's time while others are in use: about 1,300 entries a second. Measured on
 * two cores with the embedded database beside a page that logs without end (p99 latency of another session's lines
 * relative to its own without load, three runs each): without a share 8 to 17 times, at 0.3 0.9 to 9 times, at 0.15 0.6
 * to 2.9 times.
 */
const SHARE = 0.15
/** Milliseconds that a pipe may use at once beyond its share. */
const BURST_MS = 300
/** Most debt beyond the burst, so that a pipe is not paused for long because of the time it used while alone. */
const MAX_DEBT_MS = 60
/** How long a pipe counts as in use after its last message. */
const IN_USE_MS = 1_000

/**
 * Shares the event loop among the pipes of all browsers. A pipe that has used less time than the others is served at
 * once. Those that always have more to do take turns, a slice each, and together leave most of each turn of the loop to
 * everything else: timers, requests, commits. While others are in use, a flooding pipe is paused above its share: the
 * browser of a quiet page needs a core as well, and all sessions share the database. The flooding browser's messages
 * wait in its pipe meanwhile.
 */
export class FairScheduler {
  readonly #now: () => number
  readonly #sliceMs: number
  readonly #turnMs: number
  /** Time used, in milliseconds, comparable among busy pipes. */
  readonly #used = new WeakMap<ScheduledWork, number>()
  readonly #waiting = new Set<ScheduledWork>()
  /** Time used by the least served of the waiting pipes. */
  #clock = 0
  #spentMs = 0
  #isScheduled = false
  readonly #budgets = new WeakMap<ScheduledWork, Budget>()
  /** Time of the last message of each session's pipe, the oldest first. */
  readonly #woken = new Map<ScheduledWork, number>()
  /** Pipes assigned to sessions. */
  readonly #taken = new WeakSet<ScheduledWork>()
  /** Pipes that may exceed their share. */
  readonly #released = new WeakSet<ScheduledWork>()
  /** Runs until one of the waiting pipes is within its share again. */
  #pause: NodeJS.Timeout | undefined

  constructor(sliceMs: number = SLICE_MS, turnMs: number = TURN_MS, now: () => number = () => performance.now()) {
    this.#now = now
    this.#sliceMs = sliceMs
    this.#turnMs = turnMs
  }

  /** The pipe belongs to a session now. Others are never paused for a warm browser's pipe. */
  take(work: ScheduledWork): void {
    this.#taken.add(work)
  }

  /** There is something to do. May do it at once. */
  wake(work: ScheduledWork): void {
    const now = this.#now()
    this.#woken.delete(work)
    if (this.#taken.has(work)) this.#woken.set(work, now)
    this.#forgetIdle(now)
    if (this.#waiting.has(work)) return
    if (this.#pauseOf(work, now) > 0) {
      this.#waiting.add(work)
      return this.#schedule()
    }
    const used = Math.max(this.#used.get(work) ?? 0, this.#clock - HEAD_START_MS)
    this.#used.set(work, used)
    const isFree = this.#waiting.size === 0 && this.#spentMs < this.#turnMs
    if (isFree || used < this.#clock) this.#serve(work)
    else this.#waiting.add(work)
    this.#schedule()
  }

  /** Charges time that was spent elsewhere on the pipe's messages. */
  charge(work: ScheduledWork, milliseconds: number): void {
    const now = this.#now()
    const { level, at, lowSince } = this.#budgets.get(work) ?? { level: 0, at: now, lowSince: now }
    const left = Math.max(0, level - (now - at) * SHARE)
    this.#budgets.set(work, {
      level: Math.min(left + milliseconds, BURST_MS + MAX_DEBT_MS),
      at: now,
      lowSince: left < BURST_MS / 2 ? now : lowSince,
    })
  }

  /** Milliseconds for which the pipe has used at least about its long-term share. */
  behindMs(work: ScheduledWork): number {
    const budget = this.#budgets.get(work)
    return budget ? this.#now() - budget.lowSince : 0
  }

  /** From now on the pipe is never paused: its browser is ending, and the rest of its output has a deadline. */
  release(work: ScheduledWork): void {
    this.#released.add(work)
    if (this.#waiting.has(work)) this.#schedule()
  }

  /** The pipe has ended: from now on no other is paused for it. */
  end(work: ScheduledWork): void {
    this.#taken.delete(work)
    this.release(work)
    if (this.#woken.delete(work) && this.#waiting.size > 0) this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    clearTimeout(this.#pause)
    const now = this.#now()
    const pauseMs = Math.min(...[...this.#waiting].map((work) => this.#pauseOf(work, now)))
    if (this.#waiting.size > 0 && pauseMs > 0) {
      this.#pause = unowned(() => setTimeout(() => this.#turn(), pauseMs))
      return
    }
    this.#isScheduled = true
    unowned(() => setImmediate(() => this.#turn()))
  }

  /** Milliseconds until the pipe is within its share again; 0 if no other is in use. */
  #pauseOf(work: ScheduledWork, now: number): number {
    const budget = this.#budgets.get(work)
    if (!budget || this.#released.has(work)) return 0
    const debtMs = budget.level - (now - budget.at) * SHARE - BURST_MS
    return debtMs > 0 && this.#isOtherInUse(work, now) ? debtMs / SHARE : 0
  }

  #isOtherInUse(work: ScheduledWork, now: number): boolean {
    this.#forgetIdle(now)
    return this.#woken.size > (this.#woken.has(work) ? 1 : 0)
  }

  #forgetIdle(now: number): void {
    for (const [work, wokenAt] of this.#woken) {
      if (now - wokenAt <= IN_USE_MS) return
      this.#woken.delete(work)
    }
  }

  #turn(): void {
    this.#isScheduled = false
    this.#spentMs = 0
    const now = this.#now()
    const order = [...this.#waiting].toSorted((one, other) => this.#used.get(one)! - this.#used.get(other)!)
    for (const work of order) {
      if (this.#pauseOf(work, now) > 0) continue
      this.#serve(work)
      if (this.#spentMs >= this.#turnMs) break
    }
    if (this.#waiting.size > 0) this.#schedule()
  }

  #serve(work: ScheduledWork): void {
    const used = this.#used.get(work)!
    this.#clock = Math.max(this.#clock, used)
    const start = this.#now()
    const hasMore = work.work(start + this.#sliceMs)
    const took = this.#now() - start
    this.#spentMs += took
    this.#used.set(work, used + took)
    this.charge(work, took)
    if (hasMore) this.#waiting.add(work)
    else this.#waiting.delete(work)
  }
}
