/**
 * Carries wake-ups ("this session's log has grown"), never data (guarantee 3). A lost wake-up costs latency, not data:
 * followers also poll, slowly. So an in-process bus and one across machines are interchangeable.
 */
export interface Bus {
  /** Never waits and never throws. Followers in this process are woken at once; repeated wake-ups of others may be merged. */
  publish(sessionId: string): void
  /** The listener may be called late or without news. Returns the disposer. */
  subscribe(sessionId: string, listener: () => void): () => void
  /** Why wake-ups of other machines do not arrive now, as a sentence without its period; null: they do. */
  readonly problem: string | null
  /** Idempotent. Resolves within a few seconds. */
  close(): Promise<void>
}
