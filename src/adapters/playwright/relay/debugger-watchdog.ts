import { startLateTimer } from '../../../async/late-timer.ts'

/** What one client had stopped before its start (`waitForDebuggerOnStart`), and has not let go. */
export class DebuggerWatchdog {
  readonly #letGo: (sessionId: string) => void
  /** Stop the timer of each. */
  readonly #timers = new Map<string, () => void>()

  /** `letGo` is called with the session of each that was held for too long. */
  constructor(letGo: (sessionId: string) => void) {
    this.#letGo = letGo
  }

  hold(sessionId: string, milliseconds: number): void {
    const late = () => {
      this.#timers.delete(sessionId)
      this.#letGo(sessionId)
    }
    this.#timers.set(sessionId, startLateTimer(late, milliseconds))
  }

  /** The client let it go, or it is gone. */
  forget(sessionId: string): void {
    this.#timers.get(sessionId)?.()
    this.#timers.delete(sessionId)
  }

  /** The browser lets go of what a client held once that is detached. */
  dispose(): void {
    for (const stop of this.#timers.values()) stop()
    this.#timers.clear()
  }
}
