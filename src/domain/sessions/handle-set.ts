import type { Logger } from 'pino'
import { Deadline } from '../../async/deadline.ts'
import type { PageState } from '../../ports/browser.ts'
import { saysEnded } from '../kernel/session-state.ts'
import type { SessionHandle } from './session-handle.ts'
import type { SessionHealth } from './session-health.ts'

/** Time limit for all sessions of a question together. A browser gets 1 s of it. */
const ANSWER_MS = 2_000

/** Results by session. Null: no response in time. Sessions that are not live are absent. */
export type HandleAnswers<T> = ReadonlyMap<string, T | null>

/** Handles of several sessions: one question to all of them, with one deadline. */
export class HandleSet {
  readonly #handles: readonly SessionHandle[]
  readonly #logger: Logger
  readonly #answerMs: number

  constructor(handles: readonly SessionHandle[], logger: Logger, answerMs = ANSWER_MS) {
    this.#handles = handles
    this.#logger = logger
    this.#answerMs = answerMs
  }

  /** See SessionHandle.pages. */
  pages(): Promise<HandleAnswers<PageState[]>> {
    return this.#ask((handle) => handle.pages())
  }

  /** See SessionHandle.health. */
  health(): Promise<HandleAnswers<SessionHealth>> {
    return this.#ask((handle) => handle.health())
  }

  async #ask<T>(question: (handle: SessionHandle) => Promise<T>): Promise<HandleAnswers<T>> {
    const answers = new Map<string, T | null>()
    const asking = this.#handles.map(async (handle) => {
      const { sessionId } = handle
      answers.set(sessionId, null)
      try {
        answers.set(sessionId, await question(handle))
      } catch (error) {
        if (saysEnded(error)) answers.delete(sessionId)
        else this.#logger.warn({ err: error, sessionId }, 'a session could not be queried')
      }
    })
    await Deadline.isMet(Promise.all(asking), this.#answerMs)
    // Later responses change nothing.
    return new Map(answers)
  }
}
