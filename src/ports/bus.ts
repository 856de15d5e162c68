/**
 * Carries wake-ups ("this session's log has grown"), never the truth itself (guarantee 3). A lost one costs latency, not
 * data: followers also look for themselves, slowly. So an in-process bus and one of many machines are interchangeable.
 */
export interface Bus {
  /** Never waits and never throws. Followers in this process are woken at once; repeated wake-ups of others may be merged. */
  publish(sessionId: string): void
  /** The listener may be called with nothing new, and late. Returns the disposer. */
  subscribe(sessionId: string, listener: () => void): () => void
  /** Why wake-ups of other machines do not arrive now, as a sentence without its period; null: they do. */
  readonly problem: string | null
  /** Idempotent. Resolves within a few seconds. */
  close(): Promise<void>
}
