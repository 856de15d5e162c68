/** A page may open groups without end. Documented in docs/log.md. */
const MAX_DEEP = 100
/** Most documents with open groups. */
const MAX_CONTEXTS = 1_000

/** Open console groups of each document and worker. */
export class ConsoleGroups {
  /** By CDP session, then by execution context. */
  readonly #depths = new Map<string, Map<number, number>>()

  depth(sessionId: string, contextId: number): number {
    return Math.min(MAX_DEEP, this.#depths.get(sessionId)?.get(contextId) ?? 0)
  }

  opened(sessionId: string, contextId: number): void {
    const contexts = this.#depths.get(sessionId) ?? new Map<number, number>()
    this.#depths.set(sessionId, contexts)
    if (contexts.size < MAX_CONTEXTS) contexts.set(contextId, (contexts.get(contextId) ?? 0) + 1)
  }

  closed(sessionId: string, contextId: number): void {
    const contexts = this.#depths.get(sessionId)
    const depth = contexts?.get(contextId) ?? 0
    if (depth > 1) contexts?.set(contextId, depth - 1)
    else this.contextEnded(sessionId, contextId)
  }

  contextEnded(sessionId: string, contextId: number): void {
    const contexts = this.#depths.get(sessionId)
    if (contexts?.delete(contextId) && contexts.size === 0) this.#depths.delete(sessionId)
  }

  /** The session is gone, or all its documents. */
  sessionEnded(sessionId: string): void {
    this.#depths.delete(sessionId)
  }
}
