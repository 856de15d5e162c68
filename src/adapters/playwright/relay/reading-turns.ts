import { unowned } from '../../../fault-owner.ts'

/** Longest time in a turn of the event loop, for the commands of all clients together. */
const SLICE_MS = 4

interface Reading {
  /** Reads a little. Returns whether there is more to read. */
  step: () => boolean
  resolve: () => void
  reject: (error: unknown) => void
}

/** Large commands that are being read. They take turns at the event loop of the process: hence one list of all. */
const readings: Reading[] = []

/** Calls `step` until it returns false, a slice at a time. Rejects with what it throws. */
export function inTurns(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    readings.push({ step, resolve, reject })
    if (readings.length === 1) schedule()
  })
}

function schedule(): void {
  unowned(() => setImmediate(turn))
}

function turn(): void {
  const reading = readings.shift()!
  try {
    if (hasMore(reading, performance.now() + SLICE_MS)) readings.push(reading)
    else reading.resolve()
  } catch (error) {
    reading.reject(error)
  }
  if (readings.length > 0) schedule()
}

function hasMore({ step }: Reading, until: number): boolean {
  do if (!step()) return false
  while (performance.now() < until)
  return true
}
