/** Waits for the work, but no longer than the time or until the signal fires; the work itself goes on. */
export async function within(work: Promise<void>, ms: number, signal?: AbortSignal): Promise<void> {
  const { promise: givenUp, resolve } = Promise.withResolvers<void>()
  const giveUp = () => resolve()
  const timer = setTimeout(giveUp, ms)
  signal?.addEventListener('abort', giveUp)
  try {
    if (!signal?.aborted) await Promise.race([work, givenUp])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', giveUp)
  }
}
