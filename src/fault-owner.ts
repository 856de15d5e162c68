import { AsyncLocalStorage } from 'node:async_hooks'

/** Who answers for work: what it throws where nobody can catch it ends this one thing, not the server. */
export interface FaultOwner {
  /** Must not throw. */
  fail(error: unknown): void
}

const owners = new AsyncLocalStorage<FaultOwner | undefined>()

/**
 * Runs the work, and makes the owner answer for whatever comes of it: timers, promises, and the events of sockets and
 * processes that it opens. So a listener need not remember to be guarded, nor a library, whose promises nobody awaits.
 */
export function ownedBy<T>(owner: FaultOwner | undefined, work: () => T): T {
  return owners.run(owner, work)
}

/** Runs work on something shared, which must not belong to the one that happens to need it first. */
export const unowned = <T>(work: () => T): T => ownedBy(undefined, work)

/** Who answers for what runs now; undefined: nobody but the server. */
export const faultOwner = (): FaultOwner | undefined => owners.getStore()

/** The work as it belongs to its owner of now, whoever starts it later. */
export function bound<A extends unknown[], R>(work: (...args: A) => R): (...args: A) => R {
  const owner = faultOwner()
  return (...args) => ownedBy(owner, () => work(...args))
}

/**
 * The listener as it belongs to its owner of now: whoever calls it is not concerned by what it throws, or by the promise
 * that it leaves, and other listeners are called all the same. Without an owner, such a fault is the server's, unless
 * there is another way to handle it.
 */
export function owned<A extends unknown[]>(
  listener: (...args: A) => void,
  otherwise?: (error: unknown) => void,
): (...args: A) => void {
  return ownedAs(faultOwner() ?? (otherwise && { fail: otherwise }), listener)
}

/** The same for an owner that is known. */
export function ownedAs<A extends unknown[]>(
  owner: FaultOwner | undefined,
  listener: (...args: A) => void,
): (...args: A) => void {
  return (...args) =>
    ownedBy(owner, () => {
      try {
        listener(...args)
      } catch (error) {
        if (owner) owner.fail(error)
        else
          setImmediate(() => {
            throw error
          })
      }
    })
}
