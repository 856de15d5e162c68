import { StoreUnavailable } from '../../src/ports/store-errors.ts'
import type { Store } from '../../src/ports/store.ts'

/** What befalls a call: nothing, it never arrives, or it is carried out and its answer is lost. */
export type Fault = 'none' | 'before' | 'after'

/** A real store whose calls fail as the given sequence says, then no more; as a connection that breaks would. */
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
