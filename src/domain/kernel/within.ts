/**
 * Waits for the work, but no longer than the time or until the signal fires; the work itself goes on. Returns whether it
 * was done.
 */
export async function within(work: Promise<void>, ms: number, signal?: AbortSignal): Promise<boolean> {
  const { promise: givenUp, resolve } = Promise.withResolvers<boolean>()
  const giveUp = () => resolve(false)
  const timer = setTimeout(giveUp, ms)
  signal?.addEventListener('abort', giveUp)
  try {
    if (signal?.aborted) return false
    return await Promise.race([work.then(() => true), givenUp])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', giveUp)
  }
}
