/** setTimeout cannot wait longer than 2^31 - 1 ms; a longer delay would fire at once. */
const MAX_TIMER_MS = 2_147_483_647

/**
 * Calls back once at the time (milliseconds since the epoch), never earlier and never synchronously. Returns a function
 * that cancels it.
 */
export function atTime(time: number, listener: () => void): () => void {
  let timer: NodeJS.Timeout
  const wait = () => {
    const leftMs = Math.max(0, time - Date.now())
    timer = setTimeout(look, Math.min(leftMs, MAX_TIMER_MS)).unref()
  }
  // A timer may also fire a moment early, when what ends at the time would still be valid.
  const look = () => (Date.now() < time ? wait() : listener())
  wait()
  return () => clearTimeout(timer)
}
