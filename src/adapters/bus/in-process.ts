import type { Bus } from '../../ports/bus.ts'

/** The bus of one process: a table of listeners. */
export class InProcessBus implements Bus {
  readonly #listeners = new Map<string, Set<() => void>>()

  publish(sessionId: string): void {
    const listeners = this.#listeners.get(sessionId)
    if (!listeners) return
    for (const listener of listeners) listener()
  }

  subscribe(sessionId: string, listener: () => void): () => void {
    let listeners = this.#listeners.get(sessionId)
    if (!listeners) this.#listeners.set(sessionId, (listeners = new Set()))
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(sessionId) === listeners) this.#listeners.delete(sessionId)
    }
  }

  async close(): Promise<void> {
    this.#listeners.clear()
  }
}
