/** Minimum between two wake-ups of a session from other machines: a flood of its subject costs at most 200 small reads a second. */
const INTERVAL_MS = 5

/** Hands on the first wake-up of a session at once, and then one at most in each interval, the last always. */
export class WakeUpLimiter {
  readonly #wake: (sessionId: string) => void
  /** Sessions that were woken within the interval, and whether they are to be woken again after it. */
  readonly #recent = new Map<string, { timer: NodeJS.Timeout; isDue: boolean }>()

  constructor(wake: (sessionId: string) => void) {
    this.#wake = wake
  }

  wake(sessionId: string): void {
    const recent = this.#recent.get(sessionId)
    if (recent) {
      recent.isDue = true
      return
    }
    const timer = setTimeout(() => this.#passed(sessionId), INTERVAL_MS)
    this.#recent.set(sessionId, { timer, isDue: false })
    this.#wake(sessionId)
  }

  forget(sessionId: string): void {
    clearTimeout(this.#recent.get(sessionId)?.timer)
    this.#recent.delete(sessionId)
  }

  close(): void {
    for (const { timer } of this.#recent.values()) clearTimeout(timer)
    this.#recent.clear()
  }

  #passed(sessionId: string): void {
    const isDue = this.#recent.get(sessionId)?.isDue ?? false
    this.#recent.delete(sessionId)
    if (isDue) this.wake(sessionId)
  }
}
