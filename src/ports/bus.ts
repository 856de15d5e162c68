/** "Something about this session is new": never the truth itself (law 3). A lost one costs latency, not data. */
export interface WakeUp {
  sessionId: string
  owner: string
}

/** Listeners are called synchronously or later, in no promised order, perhaps twice, perhaps (rarely) not at all. */
export interface Bus {
  publish(wakeUp: WakeUp): void
  /** Wake-ups of one session. Returns the disposer. */
  onSession(sessionId: string, listener: () => void): () => void
  /** Wake-ups of every session of an owner. Returns the disposer. */
  onOwner(owner: string, listener: (sessionId: string) => void): () => void
  close(): Promise<void>
}
