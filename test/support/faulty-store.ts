import { StoreUnavailable } from '../../src/ports/store/store-errors.ts'
import type { Store } from '../../src/ports/store/store.ts'

/** Fate of a call: normal, never delivered, or executed with its response lost. */
export type Fault = 'none' | 'before' | 'after'

/** A real store whose calls fail in the given sequence, then succeed; like a breaking connection. */
export function faultyStore(store: Store, methods: readonly (keyof Store)[], faults: Iterable<Fault>): Store {
  const script = faults[Symbol.iterator]()
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target)
      if (typeof member !== 'function') return member
      const call = (...args: unknown[]): unknown => Reflect.apply(member, target, args)
      if (!methods.includes(property as keyof Store)) return call
      return async (...args: unknown[]) => {
        const fault = script.next().value ?? 'none'
        if (fault === 'before') throw new StoreUnavailable(new Error('the connection broke before the call'))
        const answer = await call(...args)
        if (fault === 'after') throw new StoreUnavailable(new Error('the connection broke before the answer'))
        return answer
      }
    },
  })
}
