import { ACTION_LIMITS, type ActionError, type ActionOrigin } from '../../ports/action.ts'
import { LinkedSignal } from '../kernel/linked-signal.ts'
import type { SessionEnding } from '../kernel/session-state.ts'

/**
 * What may stop a request for actions: the end of its session, its caller, its deadline. A step that has begun is
 * finished when a client goes away, as nobody could say how much of it had been done; a task's is cancelled, for
 * whoever cancels a task waits for it to stop.
 */
export class ActionStop implements Disposable {
  readonly #ending: AbortSignal
  readonly #caller: AbortSignal
  readonly #origin: ActionOrigin
  readonly #deadline: LinkedSignal
  readonly #waiting: LinkedSignal

  constructor(ending: AbortSignal, caller: AbortSignal, origin: ActionOrigin, requestMs: number) {
    this.#ending = ending
    this.#caller = caller
    this.#origin = origin
    this.#deadline = new LinkedSignal([], requestMs)
    this.#waiting = new LinkedSignal([this.#deadline.signal, caller])
  }

  /**
   * For a request that waits for its turn. The end of the session is none: then each gets its turn soon, and so what
   * becomes of them stands in the log in their order.
   */
  get waiting(): AbortSignal {
    return this.#waiting.signal
  }

  /** For a step that begins; to be disposed of. */
  ofStep(timeoutMs: number): LinkedSignal {
    const request = this.#origin === 'TASK' ? this.#waiting.signal : this.#deadline.signal
    return new LinkedSignal([this.#ending, request], timeoutMs)
  }

  /** Why nothing further may begin; null: it may. */
  whyNotBegun(): ActionError | null {
    return this.#why(this.#caller.aborted)
  }

  /** Why a step that has begun was stopped; null: by nothing but itself. */
  whyBroken(): ActionError | null {
    return this.#why(this.#origin === 'TASK' && this.#caller.aborted)
  }

  [Symbol.dispose](): void {
    this.#waiting[Symbol.dispose]()
    this.#deadline[Symbol.dispose]()
  }

  #why(isCancelled: boolean): ActionError | null {
    if (this.#ending.aborted) {
      const { reason } = this.#ending.reason as SessionEnding
      return { code: 'SESSION_ENDED', message: `The session ended (${reason}).` }
    }
    if (isCancelled) {
      const who = this.#origin === 'TASK' ? 'The task was stopped.' : 'The client went away.'
      return { code: 'CANCELLED', message: who }
    }
    if (!this.#deadline.isTimeUp) return null
    const seconds = ACTION_LIMITS.requestMs / 1000
    return { code: 'TIMEOUT', message: `The request took ${seconds} s, its place in the queue included: no longer.` }
  }
}
