import { unowned } from '../fault-owner.ts'

/** Longest time in a turn of the event loop, for all work of this kind together. */
const SLICE_MS = 4

interface Work {
  /** Does a little. Returns whether there is more to do. */
  step: () => boolean
  resolve: () => void
  reject: (error: unknown) => void
}

/** Large commands that are being read or sent. They take turns at the event loop of the process: hence one list of all. */
const waiting: Work[] = []
let isScheduled = false

/** Calls `step` until it returns false, a slice at a time. Rejects with what it throws. */
export function inTurns(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    waiting.push({ step, resolve, reject })
    schedule()
  })
}

function schedule(): void {
  if (isScheduled) return
  isScheduled = true
  unowned(() => setImmediate(turn))
}

function turn(): void {
  isScheduled = false
  const work = waiting.shift()!
  try {
    if (hasMore(work, performance.now() + SLICE_MS)) waiting.push(work)
    else work.resolve()
  } catch (error) {
    work.reject(error)
  }
  if (waiting.length > 0) schedule()
}

function hasMore({ step }: Work, until: number): boolean {
  do if (!step()) return false
  while (performance.now() < until)
  return true
}
