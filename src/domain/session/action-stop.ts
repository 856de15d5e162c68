import { ACTION_LIMITS, type ActionError, type ActionOrigin } from '../../ports/action.ts'
import { Deadline } from '../../async/deadline.ts'
import type { SessionEnding } from '../kernel/session-state.ts'

/** A step whose time is up ends itself, and has this long to say why: on a busy machine its own timer fires late. */
const GRACE_MS = 500

/**
 * What may stop a request for actions: the end of its session, its caller, its deadline. A step that has begun is
 * finished when a client goes away, as nobody could say how much of it had been done; a task's is cancelled, for
 * whoever cancels a task waits for it to stop.
 */
export class ActionStop implements Disposable {
  /**
   * For a request that waits for its turn. The end of the session is none: then each gets its turn soon, and so what
   * becomes of them stands in the log in their order.
   */
  readonly waiting: AbortSignal
  readonly #ending: AbortSignal
  readonly #caller: AbortSignal
  readonly #origin: ActionOrigin
  readonly #deadline: Deadline

  constructor(ending: AbortSignal, caller: AbortSignal, origin: ActionOrigin, requestMs: number) {
    this.#ending = ending
    this.#caller = caller
    this.#origin = origin
    this.#deadline = new Deadline(requestMs)
    this.waiting = AbortSignal.any([this.#deadline.signal, caller])
  }

  /** Of a step that begins; to be disposed of. */
  ofStep(timeoutMs: number): Deadline {
    const request = this.#origin === 'TASK' ? this.waiting : this.#deadline.signal
    return new Deadline(timeoutMs + GRACE_MS, [this.#ending, request])
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
    if (!this.#deadline.hasExpired) return null
    const seconds = ACTION_LIMITS.requestMs / 1000
    return { code: 'TIMEOUT', message: `The request took ${seconds} s, queue time included: no longer.` }
  }
}
