import { Semaphore } from '../../async/semaphore.ts'
import { ACTION_LIMITS } from '../../ports/action.ts'
import { CapacityExceeded } from '../kernel/capacity-queue.ts'

/**
 * One session's requests for actions, one after the other in the order in which they came: no two interleave, and of
 * two callers each is served in its turn.
 */
export class ActionQueue {
  readonly #maxWaiting: number
  readonly #turn = new Semaphore(1)

  constructor(maxWaiting: number = ACTION_LIMITS.requestsWaiting) {
    this.#maxWaiting = maxWaiting
  }

  /**
   * Resolves with what ends the turn, to be called once; or with null, when the signal fired before the turn came.
   * Throws CapacityExceeded when too many wait already.
   */
  enter(signal: AbortSignal): Promise<(() => void) | null> {
    if (this.#turn.waiting >= this.#maxWaiting && !signal.aborted) {
      throw new CapacityExceeded(1, `${this.#maxWaiting} requests wait for the actions of this session already.`)
    }
    return this.#turn.acquire(signal).catch((error: unknown) => {
      if (signal.aborted) return null
      throw error
    })
  }
}
