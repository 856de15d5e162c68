/*
 * Preloaded into a server by a test: the clock of its machine is five minutes ahead, as that of a machine may be which nobody
 * corrects. Timers and performance.now are those of the system.
 */
const AHEAD_MS = 300_000
const { now } = Date

globalThis.Date = class extends Date {
  constructor(...given) {
    super(...(given.length === 0 ? [now() + AHEAD_MS] : given))
  }

  static now() {
    return now() + AHEAD_MS
  }
}
