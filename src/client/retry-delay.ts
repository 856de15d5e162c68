/** Limits of the delays between tries. */
export interface RetryDelays {
  readonly minDelayMs: number
  readonly maxDelayMs: number
}

/** A delay requested by the server is respected up to here. */
const LONGEST_ASKED_MS = 10 * 60_000

/**
 * The delay before the given try, counted from 1: doubles each time up to a limit, half of it random, so that clients
 * that lost a server at the same time do not reconnect at the same time. Never shorter than the server requests.
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
