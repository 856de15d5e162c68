/**
 * Carries wake-ups ("this session's log has grown"), never data (guarantee 3). A lost wake-up costs latency, not data:
 * followers also poll, slowly. So an in-process bus and one across machines are interchangeable.
 */
export interface Bus {
  publish(sessionId: string): void
  /** The listener may be called late or without news. Returns the disposer. */
  subscribe(sessionId: string, listener: () => void): () => void
  close(): Promise<void>
}
