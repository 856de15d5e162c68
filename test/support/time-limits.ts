/**
 * Timeout for conditions: long enough for a busy machine, since speed is measured by bench/. The default of
 * `expect.poll` (vitest.config.ts); to be passed to `vi.waitFor`, for hooks.
 */
export const WAIT_LIMITS = { timeout: 30_000 }

/** For functions that take a signal: it ends with the test. */
export const NO_DEADLINE = new AbortController().signal

/** How long vitest's fake clock takes for the turn of the event loop in which a late timer lets arrivals be read. */
export const FAKE_TURN_MS = 1
