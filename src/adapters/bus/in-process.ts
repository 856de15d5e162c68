import type { Bus } from '../../ports/machines/bus.ts'
import { owned } from '../../fault-owner.ts'

/** In-process bus: a table of listeners. */
export class InProcessBus implements Bus {
  readonly problem = null
  readonly #listeners = new Map<string, Set<() => void>>()

  publish(sessionId: string): void {
    const listeners = this.#listeners.get(sessionId)
    if (!listeners) return
    for (const listener of listeners) listener()
  }

  subscribe(sessionId: string, listener: () => void): () => void {
    let listeners = this.#listeners.get(sessionId)
    if (!listeners) this.#listeners.set(sessionId, (listeners = new Set()))
    // Sessions publish from within their logs, which a follower's error must not affect.
    const own = owned(listener)
    listeners.add(own)
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#listeners.get(sessionId) === listeners) this.#listeners.delete(sessionId)
    }
  }

  async close(): Promise<void> {
    this.#listeners.clear()
  }
}
