/**
 * Carries wake-ups ("this session's log has grown"), never the truth itself (guarantee 3). A lost one costs latency, not
 * data: followers also look for themselves, slowly. So an in-process bus and one of many machines are interchangeable.
 */
export interface Bus {
  publish(sessionId: string): void
  /** The listener may be called with nothing new, and late. Returns the disposer. */
  subscribe(sessionId: string, listener: () => void): () => void
  close(): Promise<void>
}
