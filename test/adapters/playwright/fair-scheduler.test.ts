import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FairScheduler, type ScheduledWork } from '../../../src/adapters/playwright/cdp/pipe/fair-scheduler.ts'

const SECOND = 1_000
/** Milliseconds of work per chunk. */
const PIECE_MS = 1

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout', 'setImmediate'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Duration of the work, in addition to the time of the timers. */
let workedMs = 0
const now = () => performance.now() + workedMs
const create = () => new FairScheduler(2, 4, now)

/** Provides the given number of chunks, whose work takes time on the test's clock. */
class Pipe implements ScheduledWork {
  left = 0
  done = 0
  readonly #scheduler: FairScheduler
  readonly #chargeMs: number

  constructor(scheduler: FairScheduler, chargeMs = 0, isTaken = true) {
    this.#scheduler = scheduler
    this.#chargeMs = chargeMs
    if (isTaken) scheduler.take(this)
  }

  bring(pieces: number): void {
    this.left += pieces
    this.#scheduler.wake(this)
  }

  work(until: number): boolean {
    while (this.left > 0 && now() < until) {
      workedMs += PIECE_MS
      this.left -= 1
      this.done += 1
      if (this.#chargeMs > 0) this.#scheduler.charge(this, this.#chargeMs)
    }
    return this.left > 0
  }
}

/** Runs turns of the loop until the given time; idle pipes provide a chunk every ten milliseconds. */
function pass(milliseconds: number, quiet: Pipe | null = null): void {
  const end = now() + milliseconds
  let nextAt = now()
  while (now() < end) {
    if (quiet && now() >= nextAt) {
      nextAt = now() + 10
      quiet.bring(1)
    }
    vi.advanceTimersByTime(1)
  }
}

test('alone, a pipe that floods takes all the time that there is', () => {
  const flood = new Pipe(create())
  flood.bring(20_000)
  pass(10 * SECOND)
  expect(flood.done).toBeGreaterThan(4_000)
})

test('beside one in use, a flood is paused above its share, and all of it is served in the end', () => {
  const scheduler = create()
  const [flood, quiet] = [new Pipe(scheduler), new Pipe(scheduler)]
  quiet.bring(1)
  flood.bring(5_000)
  pass(10 * SECOND, quiet)
  // The initial burst, and 0.15 of ten seconds.
  expect(flood.done).toBeGreaterThan(1_000)
  expect(flood.done).toBeLessThan(2_000)
  expect(quiet.left).toBe(0)
  pass(60 * SECOND, quiet)
  expect(flood.left).toBe(0)
})

test('beside one that is only kept ready, a flood is not paused', () => {
  const scheduler = create()
  const [flood, ready] = [new Pipe(scheduler), new Pipe(scheduler, 0, false)]
  flood.bring(20_000)
  pass(10 * SECOND, ready)
  expect(flood.done).toBeGreaterThan(5_000)
  scheduler.take(ready)
  const before = flood.done
  pass(5 * SECOND, ready)
  expect(flood.done - before).toBeLessThan(1_500)
})

test('what a pipe is charged for elsewhere counts', () => {
  const scheduler = create()
  const [flood, quiet] = [new Pipe(scheduler, 4), new Pipe(scheduler)]
  quiet.bring(1)
  flood.bring(5_000)
  pass(10 * SECOND, quiet)
  expect(flood.done).toBeLessThan(500)
  expect(flood.done).toBeGreaterThan(200)
})

test('once nobody else is in use, a flood is not paused any more', () => {
  const scheduler = create()
  const [flood, quiet] = [new Pipe(scheduler), new Pipe(scheduler)]
  flood.bring(20_000)
  pass(5 * SECOND, quiet)
  const before = flood.done
  pass(5 * SECOND)
  expect(flood.done - before).toBeGreaterThan(1_500)
})

test('once everybody else has ended, a flood is paused no longer, at once', () => {
  const scheduler = create()
  const [flood, ended] = [new Pipe(scheduler), new Pipe(scheduler)]
  flood.bring(5_000)
  pass(2 * SECOND, ended)
  const before = flood.done
  scheduler.end(ended)
  // Chunks forwarded after its end are not counted.
  ended.bring(1)
  pass(SECOND / 2)
  expect(flood.done - before).toBeGreaterThan(250)
  expect(ended.left).toBe(0)
})

test('what a pipe did while it was alone does not count for long', () => {
  const scheduler = create()
  const [flood, quiet] = [new Pipe(scheduler), new Pipe(scheduler)]
  flood.bring(20_000)
  pass(10 * SECOND)
  const before = flood.done
  pass(SECOND, quiet)
  expect(flood.done).toBeGreaterThan(before)
})

test('a pipe that is about to end is not paused', () => {
  const scheduler = create()
  const [flood, quiet] = [new Pipe(scheduler), new Pipe(scheduler)]
  quiet.bring(1)
  flood.bring(10_000)
  pass(2 * SECOND, quiet)
  const before = flood.done
  scheduler.release(flood)
  pass(2 * SECOND, quiet)
  expect(flood.done - before).toBeGreaterThan(600)
})

test('pipes that are gone are not kept', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const scheduler = create()
  const gone = Array.from({ length: 5 }, () => {
    const pipe = new Pipe(scheduler)
    pipe.bring(1)
    return new WeakRef(pipe)
  })
  pass(2 * SECOND)
  const other = new Pipe(scheduler)
  other.bring(1)
  vi.useRealTimers()
  await expect
    .poll(() => {
      collect()
      return gone.filter((pipe) => pipe.deref()).length
    })
    .toBe(0)
})
