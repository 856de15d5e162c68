import { ACTION_LIMITS } from '../../ports/action.ts'
import { CapacityExceeded } from '../kernel/capacity-queue.ts'

/**
 * One session's requests for actions, one after the other in the order in which they came: no two interleave, and of
 * two callers each is served in its turn.
 */
export class ActionQueue {
  readonly #maxWaiting: number
  readonly #waiting = new Set<() => void>()
  #isTaken = false

  constructor(maxWaiting: number = ACTION_LIMITS.requestsWaiting) {
    this.#maxWaiting = maxWaiting
  }

  /**
   * Resolves with what ends the turn, to be called once; or with null, when the signal fired before the turn came.
   * Throws CapacityExceeded when too many wait already.
   */
  enter(signal: AbortSignal): Promise<(() => void) | null> {
    if (signal.aborted) return Promise.resolve(null)
    if (!this.#isTaken) {
      this.#isTaken = true
      return Promise.resolve(() => this.#next())
    }
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new CapacityExceeded(1, `${this.#maxWaiting} requests wait for the actions of this session already.`)
    }
    return new Promise((resolve) => {
      const begin = () => {
        this.#waiting.delete(begin)
        signal.removeEventListener('abort', leave)
        resolve(() => this.#next())
      }
      const leave = () => {
        this.#waiting.delete(begin)
        resolve(null)
      }
      this.#waiting.add(begin)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  #next(): void {
    for (const begin of this.#waiting) return begin()
    this.#isTaken = false
  }
}
