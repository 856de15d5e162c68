import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import type { FaultyServer } from './faulty-server.ts'

export interface Entry {
  __typename: string
  sequence: number
  text?: string
  to?: string
  reason?: string
  endReason?: string | null
  count?: number | null
}

const FIELDS = `__typename sequence ... on ConsoleMessage { text } ... on StatusChange { to endReason }
  ... on EntriesDropped { reason count }`
const FOLLOW = `subscription ($id: ID!, $after: String) { sessionEvents(sessionId: $id, after: $after) {
  cursor entries { ${FIELDS} } } }`
const READ = `query ($id: ID!, $after: String) { session(id: $id) { events(first: 500, after: $after) {
  nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } } } }`

const RETRY_MS = 200

export interface Verdict {
  /** Entries that a subscriber received but the log no longer has, or line numbers that are unaccounted for. */
  lost: number
  /** Missing or duplicate sequences. */
  disorder: number
}

/** Follows one session like a client: reconnects, resumes at its cursor, and compares the result with the log. */
export class Witness {
  readonly #server: FaultyServer
  readonly #sessionId: string
  readonly #seen = new Map<number, string>()
  readonly #stop = new AbortController()
  readonly #following: Promise<void>
  #cursor: string | null = null
  #repeated = 0
  #latencies: number[] = []

  constructor(server: FaultyServer, sessionId: string) {
    this.#server = server
    this.#sessionId = sessionId
    this.#following = this.#follow()
  }

  get seenCount(): number {
    return this.#seen.size
  }

  /** Resolves when the session has ended and everything was delivered, or after `close`. */
  get finished(): Promise<void> {
    return this.#following
  }

  /** Delays of the ticks since the last call, in milliseconds. */
  takeLatencies(): number[] {
    const taken = this.#latencies
    this.#latencies = []
    return taken
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#following
  }

  /** Compares the received entries with the current log. */
  async judge(): Promise<Verdict> {
    // Entries that arrive while the log is read may be newer than the part already read.
    const seenBefore = [...this.#seen]
    const log = await this.history()
    let lost = 0
    const kept = new Map(log.map((entry) => [entry.sequence, digest(entry)]))
    for (const [sequence, seen] of seenBefore) if (kept.get(sequence) !== seen) lost += 1
    const holes = log.filter(({ sequence }, index) => sequence !== index + 1).length
    return { lost: lost + unaccounted(log), disorder: holes + this.#repeated }
  }

  async history(): Promise<Entry[]> {
    const log: Entry[] = []
    for (let after: string | null = null, hasMore = true; hasMore;) {
      const {
        session,
      }: { session: { events: { nodes: Entry[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } } } =
        await this.#server.client.query(READ, { id: this.#sessionId, after })
      log.push(...session.events.nodes)
      after = session.events.pageInfo.endCursor
      hasMore = session.events.pageInfo.hasNextPage
    }
    return log
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      if (await this.#followOnce(signal)) return
      await pause(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Whether the session has ended and everything was delivered. */
  async #followOnce(signal: AbortSignal): Promise<boolean> {
    const client = createClient({
      url: `${this.#server.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { 'X-API-Key': this.#server.apiKey },
      retryAttempts: 0,
    })
    const leave = () => void client.dispose()
    signal.addEventListener('abort', leave)
    try {
      const variables = { id: this.#sessionId, after: this.#cursor }
      let hasEnded = false
      for await (const { data, errors } of client.iterate<{ sessionEvents: { cursor: string; entries: Entry[] } }>({
        query: FOLLOW,
        variables,
      })) {
        if (errors || !data) return false
        this.#take(data.sessionEvents.entries)
        this.#cursor = data.sessionEvents.cursor
        hasEnded ||= data.sessionEvents.entries.some(
          ({ __typename, endReason }) => __typename === 'StatusChange' && !!endReason,
        )
      }
      return hasEnded
    } catch {
      return false
    } finally {
      signal.removeEventListener('abort', leave)
      await client.dispose()
    }
  }

  #take(entries: readonly Entry[]): void {
    const now = Date.now()
    for (const entry of entries) {
      if (this.#seen.has(entry.sequence)) this.#repeated += 1
      this.#seen.set(entry.sequence, digest(entry))
      const at = tickOf(entry)?.at
      if (at !== undefined) this.#latencies.push(now - at)
    }
  }
}

const digest = ({ __typename, text, to, reason, count }: Entry) =>
  `${__typename} ${text?.slice(0, 60) ?? ''} ${to ?? ''} ${reason ?? ''} ${count ?? ''}`

function tickOf({ text }: Entry): { number: number; at: number } | null {
  const match = /^tick (\d+) (\d+)$/.exec(text ?? '')
  return match && { number: Number(match[1]), at: Number(match[2]) }
}

/** Ticks before the last one that are neither in the log nor counted as dropped. */
function unaccounted(log: readonly Entry[]): number {
  const numbers = new Set<number>()
  let dropped = 0
  for (const entry of log) {
    const tick = tickOf(entry)
    if (tick) numbers.add(tick.number)
    if (entry.__typename === 'EntriesDropped') dropped += entry.count ?? 0
  }
  const last = [...numbers].reduce((most, number) => Math.max(most, number), -1)
  return Math.max(0, last + 1 - numbers.size - dropped)
}
