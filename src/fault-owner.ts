import { AsyncLocalStorage } from 'node:async_hooks'

/** The owner of work: an error of the work that no caller can catch ends this owner only, not the server. */
export interface FaultOwner {
  /** Must not throw. */
  fail(error: unknown): void
}

const owners = new AsyncLocalStorage<FaultOwner | undefined>()

/**
 * Runs the work, and makes the owner responsible for everything it starts: timers, promises, and the events of sockets
 * and processes that it opens. So neither listeners nor libraries with floating promises need guards of their own.
 */
export function ownedBy<T>(owner: FaultOwner | undefined, work: () => T): T {
  return owners.run(owner, work)
}

/** Runs work on a shared resource, which must not belong to the owner that happens to need it first. */
export const unowned = <T>(work: () => T): T => ownedBy(undefined, work)

/** The owner of the running code; undefined: only the server. */
export const faultOwner = (): FaultOwner | undefined => owners.getStore()

/** The work bound to the current owner, regardless of who runs it later. */
export function bound<A extends unknown[], R>(work: (...args: A) => R): (...args: A) => R {
  const owner = faultOwner()
  return (...args) => ownedBy(owner, () => work(...args))
}

/**
 * The listener bound to the current owner: its errors and rejections do not affect the emitter, and other listeners are
 * called all the same. Without an owner, such a fault is the server's, unless there is another way to handle it.
 */
export function owned<A extends unknown[]>(
  listener: (...args: A) => void,
  otherwise?: (error: unknown) => void,
): (...args: A) => void {
  return ownedAs(faultOwner() ?? (otherwise && { fail: otherwise }), listener)
}

/** The same for a given owner. */
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
