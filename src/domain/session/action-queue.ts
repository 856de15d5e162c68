import { Semaphore } from '../../async/semaphore.ts'
import { ACTION_LIMITS } from '../../ports/browser/action.ts'
import { CapacityExceeded } from '../kernel/capacity-queue.ts'

/**
 * The action requests of one session, run one after the other in order of arrival: they never interleave, and callers
 * are served fairly.
 */
export class ActionQueue {
  readonly #maxWaiting: number
  readonly #semaphore = new Semaphore(1)

  constructor(maxWaiting: number = ACTION_LIMITS.requestsWaiting) {
    this.#maxWaiting = maxWaiting
  }

  /**
   * Resolves with a function that ends the turn, to be called once, or with null if the signal fired before the turn
   * came. Throws CapacityExceeded if too many are waiting.
   */
  enter(signal: AbortSignal): Promise<(() => void) | null> {
    if (this.#semaphore.waiting >= this.#maxWaiting && !signal.aborted) {
      throw new CapacityExceeded(1, `${this.#maxWaiting} requests wait for the actions of this session already.`)
    }
    return this.#semaphore.acquire(signal).catch((error: unknown) => {
      if (signal.aborted) return null
      throw error
    })
  }
}
