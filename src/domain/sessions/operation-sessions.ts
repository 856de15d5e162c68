import { setImmediate as turn } from 'node:timers/promises'
import type { PageState } from '../../ports/browser/browser.ts'
import type { SessionSnapshot } from '../log/entries/session-snapshot.ts'
import type { HandleAnswers } from './handle-set.ts'
import { isEnded } from '../kernel/session-state.ts'
import type { SessionDirectory } from './session-directory.ts'
import { healthOf, type SessionHealth } from './session-health.ts'

/** The questions of one operation to live sessions: a question about each session of a list is sent as one. */
export class OperationSessions {
  readonly #pages: Batch<PageState[]>
  readonly #health: Batch<SessionHealth>
  readonly #snapshots: Batch<SessionSnapshot>
  readonly #sessions: SessionDirectory

  constructor(sessions: SessionDirectory) {
    this.#sessions = sessions
    this.#pages = new Batch(async (ids) => (await sessions.handles(ids)).pages())
    this.#health = new Batch(async (ids) => (await sessions.handles(ids)).health())
    this.#snapshots = new Batch(async (ids) => (await sessions.handles(ids)).snapshots())
  }

  /** Open pages, oldest first; none if the session is not live. Null: no response in time. */
  async pages(sessionId: string): Promise<PageState[] | null> {
    const pages = await this.#pages.of(sessionId)
    return pages === undefined ? [] : pages
  }

  /**
   * A session with what only its machine knows: a live one that was found in the database has no expiration time. As it
   * is if there is no response in time.
   */
  async completed(session: SessionSnapshot): Promise<SessionSnapshot> {
    if (isEnded(session.status) || session.expiresAt !== null) return session
    return (await this.#snapshots.of(session.id)) ?? session
  }

  /** Null: no response in time. */
  async health(session: SessionSnapshot): Promise<SessionHealth | null> {
    const health = await this.#health.of(session.id)
    if (health !== undefined) return health
    // It may have ended after it was found.
    const now = isEnded(session.status) ? null : await this.#sessions.find(session.owner, session.id)
    return healthOf(now ?? session, async () => null)
  }
}

/** Collects the sessions of a question until the next turn of the event loop. */
class Batch<T> {
  readonly #ask: (sessionIds: readonly string[]) => Promise<HandleAnswers<T>>
  #gathering: { ids: Set<string>; answers: Promise<HandleAnswers<T>> } | null = null

  constructor(ask: (sessionIds: readonly string[]) => Promise<HandleAnswers<T>>) {
    this.#ask = ask
  }

  /** Undefined: the session is not live. */
  async of(sessionId: string): Promise<T | null | undefined> {
    this.#gathering ??= this.#gather()
    const { ids, answers } = this.#gathering
    ids.add(sessionId)
    return (await answers).get(sessionId)
  }

  #gather() {
    const ids = new Set<string>()
    const answers = turn().then(() => {
      this.#gathering = null
      return this.#ask([...ids])
    })
    return { ids, answers }
  }
}
