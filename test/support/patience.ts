/**
 * How long conditions are waited for: as long as a busy machine may need, since how fast things are is what bench/
 * measures. `expect.poll` has it by itself (vitest.config.ts); `vi.waitFor`, for hooks, is given it.
 */
export const PATIENCE = { timeout: 30_000 }

/** For what takes a signal: it ends with the test. */
export const NO_DEADLINE = new AbortController().signal
