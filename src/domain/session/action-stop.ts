import { ACTION_LIMITS, type ActionError, type ActionOrigin } from '../../ports/browser/action.ts'
import { Deadline } from '../../async/deadline.ts'
import type { SessionEnding } from '../kernel/session-state.ts'

/** A step that times out ends itself, and has this long to report why: on a busy machine its own timer fires late. */
const GRACE_MS = 500

/**
 * Reasons to stop an action request: the end of its session, its caller, its deadline. A running step is finished
 * when a client disconnects, since how much of it was done would be unknown; a task's step is canceled, since
 * canceling a task waits for it to stop.
 */
export class ActionStop implements Disposable {
  /**
   * Signal for a request that waits for its turn. The end of the session does not fire it: every turn comes soon
   * then, so the outcomes are logged in order.
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

  /** Deadline of a step that begins; to be disposed of by the caller. */
  ofStep(timeoutMs: number): Deadline {
    const request = this.#origin === 'TASK' ? this.waiting : this.#deadline.signal
    return new Deadline(timeoutMs + GRACE_MS, [this.#ending, request])
  }

  /** Why no further step may begin; null if one may. */
  whyNotBegun(): ActionError | null {
    return this.#why(this.#caller.aborted)
  }

  /** Why a running step was stopped from outside; null if it was not. */
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
      const who = this.#origin === 'TASK' ? 'The task was stopped.' : 'The client disconnected.'
      return { code: 'CANCELLED', message: who }
    }
    if (!this.#deadline.hasExpired) return null
    const seconds = ACTION_LIMITS.requestMs / 1000
    return { code: 'TIMEOUT', message: `Timed out after ${seconds} s (queue time included).` }
  }
}
