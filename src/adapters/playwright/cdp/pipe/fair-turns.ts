import { unowned } from '../../../../fault-owner.ts'

/** Work that comes in pieces: what one browser's pipe has brought. */
export interface Turns {
  /** Works until about the time (performance.now()); whether more could be done at once. Never throws. */
  work(until: number): boolean
}

/** What one pipe may take of a turn of the event loop. */
const SLICE_MS = 2
/** What all of them may take that have more to do than their share. */
const TURN_MS = 4
/** How far whoever was idle is ahead of those that are not. */
const HEAD_START_MS = 5

/**
 * Shares the event loop among the pipes of all browsers. Whoever took less time than the others is served at once; those
 * that always have more to do take turns, a slice each, and together leave most of each turn of the loop to everything
 * else: timers, requests, commits.
 */
export class FairTurns {
  readonly #sliceMs: number
  readonly #turnMs: number
  /** Time used, in milliseconds, comparable among those that are busy. */
  readonly #used = new WeakMap<Turns, number>()
  readonly #waiting = new Set<Turns>()
  /** Time used by the one that was served least of those that had to wait. */
  #clock = 0
  #spentMs = 0
  #isScheduled = false

  constructor(sliceMs: number = SLICE_MS, turnMs: number = TURN_MS) {
    this.#sliceMs = sliceMs
    this.#turnMs = turnMs
  }

  /** There is something to do. May do it at once. */
  wake(turns: Turns): void {
    if (this.#waiting.has(turns)) return
    const used = Math.max(this.#used.get(turns) ?? 0, this.#clock - HEAD_START_MS)
    this.#used.set(turns, used)
    const isFree = this.#waiting.size === 0 && this.#spentMs < this.#turnMs
    if (isFree || used < this.#clock) this.#serve(turns)
    else this.#waiting.add(turns)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    unowned(() => setImmediate(() => this.#turn()))
  }

  #turn(): void {
    this.#isScheduled = false
    this.#spentMs = 0
    const order = [...this.#waiting].toSorted((one, other) => this.#used.get(one)! - this.#used.get(other)!)
    for (const turns of order) {
      this.#serve(turns)
      if (this.#spentMs >= this.#turnMs) break
    }
    if (this.#waiting.size > 0) this.#schedule()
  }

  #serve(turns: Turns): void {
    const used = this.#used.get(turns)!
    this.#clock = Math.max(this.#clock, used)
    const start = performance.now()
    const hasMore = turns.work(start + this.#sliceMs)
    const took = performance.now() - start
    this.#spentMs += took
    this.#used.set(turns, used + took)
    if (hasMore) this.#waiting.add(turns)
    else this.#waiting.delete(turns)
  }
}
