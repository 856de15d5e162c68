import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 100

/** Polls until the result is neither null nor false; rejects after the deadline, naming the awaited condition. */
export async function eventually<T>(
  what: string,
  deadlineMs: number,
  look: () => Promise<T | null | false>,
): Promise<T> {
  const until = performance.now() + deadlineMs
  let last: unknown = null
  for (;;) {
    try {
      const found = await look()
      if (found !== null && found !== false) return found
    } catch (error) {
      last = error
    }
    if (performance.now() > until) throw new Error(`${what}: not within ${deadlineMs / 1000} s`, { cause: last })
    await pause(POLL_MS)
  }
}
