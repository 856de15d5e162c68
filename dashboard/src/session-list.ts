import type { ResultOf } from 'gql.tada'
import type { Api } from './api.ts'
import { Changes } from './changes.ts'
import type { SessionRow } from './operations.ts'
import { EndedSessions, LiveSessions, WatchSessions } from './operations.ts'
import { sentenceFor } from './problems.ts'

export type SessionSummary = ResultOf<typeof SessionRow>

const LIVE = ['CREATING', 'RUNNING']
const PAGE = 30

/**
 * The sessions that are known: the live ones by subscription, the ended ones page by page. A session that is known to
 * have ended stays so, whichever answer comes last.
 */
export class SessionList {
  readonly changes = new Changes()
  readonly #api: Api
  readonly #sessions = new Map<string, SessionSummary>()
  readonly #stops: (() => void)[] = []
  #endCursor: string | null = null

  /** What is live has been told once. */
  loaded = false
  hasMore = true
  loading = false
  problem: string | null = null

  constructor(api: Api) {
    this.#api = api
  }

  start(): void {
    this.problem = null
    this.#stops.push(
      this.#api.follow(
        WatchSessions,
        {},
        {
          next: ({ sessionChanged }) => this.#take([sessionChanged]),
          complete: () => {},
          fail: (problem) => this.#say(problem),
        },
      ),
      this.#api.onReconnect(() => void this.#forgetEnded()),
    )
    void this.#forgetEnded()
    void this.loadMore()
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  /** Newest first. */
  sessions(): SessionSummary[] {
    return [...this.#sessions.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
  }

  /** Differs when a session has started, begun to run, or ended. */
  statuses(): string {
    return [...this.#sessions.values()].map(({ status }) => status).join()
  }

  /** The next page of ended sessions. */
  async loadMore(): Promise<void> {
    if (this.loading || !this.hasMore) return
    this.loading = true
    this.changes.tell()
    const page = await this.#ended({ after: this.#endCursor })
    this.loading = false
    if (page) {
      this.hasMore = page.pageInfo.hasNextPage
      this.#endCursor = page.pageInfo.endCursor ?? this.#endCursor
    }
    this.changes.tell()
  }

  /** Ended sessions of exactly this name, however far back. */
  async find(name: string): Promise<void> {
    await this.#ended({ after: null, name })
  }

  async #ended({ after, name }: { after: string | null; name?: string }) {
    const filter = { status: ['CLOSED', 'TIMED_OUT', 'FAILED'] as const, ...(name === undefined ? {} : { name }) }
    const { data, error } = await this.#api.client.query(EndedSessions, {
      first: PAGE,
      after,
      filter: { ...filter, status: [...filter.status] },
    })
    if (error) this.#say(sentenceFor(error))
    if (data) this.#take(data.sessions.nodes)
    return data?.sessions ?? null
  }

  /** The subscription tells nothing of sessions that ended while the connection was lost. */
  async #forgetEnded(): Promise<void> {
    const before = [...this.#sessions.values()].filter(({ status }) => LIVE.includes(status))
    const { data, error } = await this.#api.client.query(LiveSessions, {})
    if (error) return this.#say(sentenceFor(error))
    if (!data) return
    const { nodes, pageInfo } = data.sessions
    this.loaded = true
    // What failed while the connection was lost would not fail now.
    this.problem = null
    this.#take(nodes)
    if (pageInfo.hasNextPage) return
    const live = new Set(nodes.map(({ id }) => id))
    const gone = before.filter(({ id }) => !live.has(id))
    for (const { id } of gone) this.#sessions.delete(id)
    this.changes.tell()
    if (gone.length > 0) await this.#ended({ after: null })
  }

  #take(sessions: readonly SessionSummary[]): void {
    for (const session of sessions) {
      const known = this.#sessions.get(session.id)
      if (known && !LIVE.includes(known.status) && LIVE.includes(session.status)) continue
      this.#sessions.set(session.id, session)
    }
    this.changes.tell()
  }

  #say(problem: string): void {
    this.problem = problem
    this.changes.tell()
  }
}
