import { AsyncLocalStorage } from 'node:async_hooks'

/** Who answers for work: what it throws where nobody can catch it ends this one thing, not the server. */
export interface FaultOwner {
  /** Must not throw. */
  fail(error: unknown): void
}

const owners = new AsyncLocalStorage<FaultOwner>()

/**
 * Runs the work, and makes the owner answer for whatever comes of it: timers, promises, and the events of sockets and
 * processes that it opens. So a listener need not remember to be guarded, nor a library, whose promises nobody awaits.
 */
export function ownedBy<T>(owner: FaultOwner, work: () => T): T {
  return owners.run(owner, work)
}

/** Who answers for what runs now; undefined: nobody but the server. */
export const faultOwner = (): FaultOwner | undefined => owners.getStore()
