/** Bounds of the pauses between tries. */
export interface RetryDelays {
  readonly minDelayMs: number
  readonly maxDelayMs: number
}

/** What a server asks for is respected up to here. */
const LONGEST_ASKED_MS = 10 * 60_000

/**
 * The pause before the given try, counted from 1: twice as long each time up to a bound, of which half is by chance, so
 * that those who lost a server together do not come back together. Never shorter than the server asks for.
 */
export function retryDelay(
  attempt: number,
  { minDelayMs, maxDelayMs }: RetryDelays,
  askedSeconds: number | null,
): number {
  const longest = Math.min(maxDelayMs, minDelayMs * 2 ** (attempt - 1))
  const asked = Math.min(LONGEST_ASKED_MS, (askedSeconds ?? 0) * 1_000)
  return Math.max(asked, longest / 2) + (Math.random() * longest) / 2
}
