import type { Logger } from 'pino'
import { Deadline } from '../../async/deadline.ts'
import type { PageState } from '../../ports/browser/browser.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import { saysEnded } from '../kernel/session-state.ts'
import type { SessionHandle } from './session-handle.ts'
import type { SessionHealth } from './session-health.ts'

/** Time limit for all sessions of a question together. A browser gets 1 s of it. */
const ANSWER_MS = 2_000

/** Share of that time for another machine; the rest is for the network. */
const REMOTE_SHARE = 0.8

/** Results by session. Null: no response in time. Sessions that are not live are absent. */
export type HandleAnswers<T> = ReadonlyMap<string, T | null>

interface Answers {
  pages: PageState[]
  health: SessionHealth
  snapshots: SessionSnapshot
}

/** What can be asked of all of them. */
export type Question = keyof Answers

/** Sessions of another machine, which are asked together. */
export interface RemoteSet {
  readonly sessionIds: readonly string[]
  /** As HandleSet. May reject. */
  ask<Q extends Question>(question: Q, answerMs: number): Promise<HandleAnswers<Answers[Q]>>
}

/** Handles of several sessions: one question to all of them, with one deadline. */
export class HandleSet {
  readonly #handles: readonly SessionHandle[]
  readonly #remote: readonly RemoteSet[]
  readonly #logger: Logger
  readonly #answerMs: number

  constructor(
    handles: readonly SessionHandle[],
    logger: Logger,
    answerMs = ANSWER_MS,
    remote: readonly RemoteSet[] = [],
  ) {
    this.#handles = handles
    this.#remote = remote
    this.#logger = logger
    this.#answerMs = answerMs
  }

  /** See SessionHandle.pages. */
  pages(): Promise<HandleAnswers<PageState[]>> {
    return this.#ask('pages', (handle) => handle.pages())
  }

  /** See SessionHandle.health. */
  health(): Promise<HandleAnswers<SessionHealth>> {
    return this.#ask('health', (handle) => handle.health())
  }

  /** See SessionHandle.snapshot. */
  snapshots(): Promise<HandleAnswers<SessionSnapshot>> {
    return this.#ask('snapshots', (handle) => handle.snapshot())
  }

  async #ask<Q extends Question>(
    question: Q,
    ask: (handle: SessionHandle) => Promise<Answers[Q]>,
  ): Promise<HandleAnswers<Answers[Q]>> {
    const answers = new Map<string, Answers[Q] | null>()
    const asking = this.#handles.map(async (handle) => {
      const { sessionId } = handle
      answers.set(sessionId, null)
      try {
        answers.set(sessionId, await ask(handle))
      } catch (error) {
        if (saysEnded(error)) answers.delete(sessionId)
        else this.#logger.warn({ err: error, sessionId }, 'a session could not be queried')
      }
    })
    const askingElsewhere = this.#remote.map(async (set) => {
      for (const sessionId of set.sessionIds) answers.set(sessionId, null)
      try {
        const theirs = await set.ask(question, this.#answerMs * REMOTE_SHARE)
        for (const sessionId of set.sessionIds) {
          const answer = theirs.get(sessionId)
          if (answer === undefined) answers.delete(sessionId)
          else answers.set(sessionId, answer)
        }
      } catch (error) {
        this.#logger.warn(
          { err: error, sessions: set.sessionIds.length },
          'sessions of another machine could not be queried',
        )
      }
    })
    await Deadline.isMet(Promise.all([...asking, ...askingElsewhere]), this.#answerMs)
    // Later responses change nothing.
    return new Map(answers)
  }
}
