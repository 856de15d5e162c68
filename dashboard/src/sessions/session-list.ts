import type { ResultOf } from 'gql.tada'
import type { Api } from '../api/api.ts'
import { Changes } from '../base/changes.ts'
import type { SessionRow } from '../api/operations.ts'
import { EndedSessions, LiveSessions, WatchSessions } from '../api/operations.ts'
import { sentenceFor } from '../api/errors.ts'

export type SessionSummary = ResultOf<typeof SessionRow>

const LIVE = ['CREATING', 'RUNNING']
const PAGE = 30

const isEnded = ({ status }: SessionSummary): boolean => !LIVE.includes(status)
const later = (a: string | null, b: string | null): number =>
  Number((a ?? '') < (b ?? '')) - Number((a ?? '') > (b ?? ''))

/**
 * The known sessions: live ones by subscription, ended ones page by page. A session known to have ended stays so,
 * regardless of the order of responses. It keeps the requested number of ended sessions, the latest ones, and those
 * found by search, so that it does not grow while it is open.
 */
export class SessionList {
  readonly changes = new Changes()
  readonly #api: Api
  readonly #sessions = new Map<string, SessionSummary>()
  readonly #found = new Set<string>()
  readonly #stops: (() => void)[] = []
  /** Every ended session created since then is known; null if none needs to be. */
  #knownSince: string | null = null
  #room = 0

  /** Whether the live sessions have been received once. */
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
      this.#api.onReconnect(() => void this.#catchUp()),
    )
    void this.#forgetEnded()
    void this.loadMore()
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  /** Newest first. */
  sessions(): SessionSummary[] {
    return [...this.#sessions.values()].sort((a, b) => later(a.createdAt, b.createdAt))
  }

  /** Changes when a session has been created, become RUNNING, or ended. */
  statuses(): string {
    return [...this.#sessions.values()].map(({ status }) => status).join()
  }

  /** The next page of ended sessions. */
  async loadMore(): Promise<void> {
    if (this.loading || !this.hasMore) return
    this.loading = true
    this.changes.notify()
    const page = await this.#ended(this.#knownSince === null ? {} : { createdBefore: justAfter(this.#knownSince) })
    this.loading = false
    if (page) {
      this.hasMore = page.pageInfo.hasNextPage
      this.#knownSince = page.nodes.at(-1)?.createdAt ?? this.#knownSince
      this.#room += PAGE
      this.#take(page.nodes)
    }
    this.changes.notify()
  }

  /** Ended sessions of exactly this name, of any age. */
  async find(name: string): Promise<void> {
    const page = await this.#ended({ name })
    if (!page) return
    this.#found.clear()
    for (const { id } of page.nodes) this.#found.add(id)
    this.#take(page.nodes)
  }

  async #ended(filter: { name?: string; createdBefore?: string }) {
    const given = { ...filter, status: ['CLOSED' as const, 'TIMED_OUT' as const, 'FAILED' as const] }
    const { data, error } = await this.#api.client.query(EndedSessions, { first: PAGE, filter: given })
    if (error) this.#say(sentenceFor(error))
    return data?.sessions ?? null
  }

  /** The subscription does not report events missed while the connection was lost. */
  async #catchUp(): Promise<void> {
    const known = new Set(this.#sessions.keys())
    await this.#forgetEnded()
    const page = await this.#ended({})
    if (!page) return
    // If a whole page is new, earlier sessions may be unknown, too.
    if (page.pageInfo.hasNextPage && !page.nodes.some(({ id }) => known.has(id))) {
      for (const session of this.#sessions.values()) if (isEnded(session)) this.#sessions.delete(session.id)
      this.#found.clear()
      this.#knownSince = page.nodes.at(-1)!.createdAt
      this.hasMore = true
    }
    this.#take(page.nodes)
  }

  async #forgetEnded(): Promise<void> {
    const before = [...this.#sessions.values()].filter(({ status }) => LIVE.includes(status))
    const { data, error } = await this.#api.client.query(LiveSessions, {})
    if (error) return this.#say(sentenceFor(error))
    if (!data) return
    const { nodes, pageInfo } = data.sessions
    this.loaded = true
    // A request that failed while the connection was lost would succeed now.
    this.problem = null
    this.#take(nodes)
    if (pageInfo.hasNextPage) return
    const live = new Set(nodes.map(({ id }) => id))
    const gone = before.filter(({ id }) => !live.has(id))
    for (const { id } of gone) this.#sessions.delete(id)
    this.changes.notify()
  }

  #take(sessions: readonly SessionSummary[]): void {
    for (const session of sessions) {
      const known = this.#sessions.get(session.id)
      if (known && isEnded(known) && !isEnded(session)) continue
      this.#sessions.set(session.id, session)
    }
    this.#forgetOldest()
    this.changes.notify()
  }

  #forgetOldest(): void {
    const ended = [...this.#sessions.values()].filter((session) => isEnded(session) && !this.#found.has(session.id))
    if (ended.length <= this.#room + PAGE || this.#room === 0) return
    ended.sort((a, b) => later(a.createdAt, b.createdAt))
    const asked = ended.slice(0, this.#room)
    const last = ended.toSorted((a, b) => later(a.endedAt, b.endedAt)).slice(0, PAGE)
    const kept = new Set([...asked, ...last])
    for (const session of ended) if (!kept.has(session)) this.#sessions.delete(session.id)
    const since = asked.at(-1)!.createdAt
    if (this.#knownSince !== null && this.#knownSince >= since) return
    this.#knownSince = since
    this.hasMore = true
  }

  #say(problem: string): void {
    this.problem = problem
    this.changes.notify()
  }
}

/** Includes others created in the same millisecond. */
const justAfter = (time: string): string => new Date(Date.parse(time) + 1).toISOString()
