import { readingFor } from '../../../async/current-reader.ts'
import type { Bus } from '../../../ports/machines/bus.ts'
import type { EntryFilter, LogEntry, SessionEventKind } from '../../../ports/log/log-entry.ts'
import type { LogHead, Store } from '../../../ports/store/store.ts'
import { CursorInvalid, decodeEntryCursor, encodeEntryCursor } from '../../kernel/cursor.ts'
import { DatabaseUnavailable } from '../../kernel/database-unavailable.ts'
import { UNLIMITED_SPACE, type DeliverySpace } from './delivery.ts'
import { NotFound, TabwireError } from '../../kernel/errors.ts'
import { checkedFilter, matchesFilter } from '../entries/entry-filter.ts'
import { LogFollower, type FollowerTiming, type LogSource } from './log-follower.ts'
import { OperationReads, RESPONSE_LIMITS } from './operation-reads.ts'
import { answerOr, isEnded } from '../../kernel/session-state.ts'
import { pageRequest, type PageArguments, type PageRequest } from '../../kernel/pagination.ts'
import type { SessionSnapshot } from '../entries/session-snapshot.ts'
import { Deadline } from '../../../async/deadline.ts'

export type LogPageArguments = PageArguments & { filter: EntryFilter }

export interface FollowArguments {
  after?: string | null | undefined
  filter: EntryFilter
}

/** The log of a live session. */
export interface LiveLog {
  /** See SessionHandle. */
  logHead(): Promise<LogHead>
  /** See SessionHandle. */
  logTail(after: number, limit: number, maxBytes: number): Promise<LogEntry[] | null>
}

/** Null if the session is not live or cannot be reached; its log is in the store. */
export type FindLiveLog = (sessionId: string) => Promise<LiveLog | null>

export interface LogPage {
  entries: LogEntry[]
  hasNextPage: boolean
  hasPreviousPage: boolean
  /** Null only if the page is empty and nothing further was scanned. */
  startCursor: string | null
  endCursor: string | null
  totalCount(): Promise<number>
}

/** Bounds of `first` and `last` for a page of a log. */
export const LOG_PAGE_BOUNDS = { min: 1, max: 1000, default: 100 } as const

/** A filter with few matches returns a short page after this many store reads (guarantee 11). */
const MAX_STEPS_OF_PAGE = 50

/** Time limit for counting the matches of one totalCount. */
const COUNT_SECONDS = 30

/** Counting a totalCount took too long. */
class CountTooLong extends TabwireError {
  override readonly code = 'TIMEOUT'

  constructor(seconds: number) {
    super(`totalCount timed out after ${seconds} s. Narrow the filter, or omit totalCount.`)
  }
}

const END_NOT_STORED =
  'the server is shutting down and could not store the end of the session; the log goes on after the last cursor when it is back'

const DEFAULT_TIMING: FollowerTiming = { pollMs: 5000, progressMs: 4500 }

/**
 * Reads the logs of sessions: pages of history and followers, with the same cursors. Not based on the relay plugin:
 * it infers from the number of nodes whether more follow, while a page of a log ends early at a bound on bytes or on
 * scanned rows.
 */
export class LogReader {
  readonly #store: Store
  readonly #bus: Bus
  readonly #liveLog: FindLiveLog
  readonly #timing: FollowerTiming
  readonly #countSeconds: number
  /** Wakes each follower. */
  readonly #following = new Set<() => void>()
  #drained: (() => void) | null = null

  constructor(
    store: Store,
    bus: Bus,
    liveLog: FindLiveLog,
    timing: FollowerTiming = DEFAULT_TIMING,
    countSeconds: number = COUNT_SECONDS,
  ) {
    this.#store = store
    this.#bus = bus
    this.#liveLog = liveLog
    this.#timing = timing
    this.#countSeconds = countSeconds
  }

  /**
   * Resolves when all followers have read their logs to the end, or after a while. Call when all sessions have ended:
   * followers of a session whose end could not be stored get an error.
   */
  async drain(ms: number): Promise<void> {
    if (this.#following.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    const following = [...this.#following]
    for (const wake of following) wake()
    await Deadline.isMet(promise, ms)
  }

  /**
   * Replays from after the cursor (from the start if absent), then follows; ends when the session has ended. The
   * session must be current.
   */
  follow(
    session: SessionSnapshot,
    args: FollowArguments,
    signal: AbortSignal,
    space: DeliverySpace = UNLIMITED_SPACE,
  ): LogFollower {
    const after = args.after == null ? 0 : decodePlace(session, args.after, 'after', session.lastSequence)
    return new LogFollower(this.#source(session), after, checkedFilter(args.filter), this.#timing, signal, space)
  }

  /** A page of the log, by first/after or last/before; short if it reaches its bound in bytes. */
  async page(session: SessionSnapshot, given: LogPageArguments, reads = new OperationReads()): Promise<LogPage> {
    const request = pageRequest(given, LOG_PAGE_BOUNDS)
    const args = { ...given, filter: checkedFilter(given.filter) }
    const after = args.after == null ? 0 : await this.#decode(session, args.after, 'after')
    const before = args.before == null ? undefined : await this.#decode(session, args.before, 'before')
    const { page } = await reads.read(
      RESPONSE_LIMITS.pageBytes,
      (maxBytes) => this.#readPage(session, args, { ...request, after, before, maxBytes }, reads),
      ({ bytes }) => bytes,
    )
    return page
  }

  async #readPage(
    session: SessionSnapshot,
    args: LogPageArguments,
    { direction, limit, offset, after, before, maxBytes }: PlacedRequest,
    reads: OperationReads,
  ): Promise<{ page: LogPage; bytes: number }> {
    const forward = direction === 'forward'
    const entries: LogEntry[] = []
    let bytes = 0
    let bounds: { after: number; before: number | undefined } = { after, before }
    let scannedTo: number | null = null
    let done = false
    let toSkip = offset
    // Continues while it skips: a page cut short by skipping would have no cursor to resume from.
    const isWanting = (steps: number) => toSkip > 0 || (steps < MAX_STEPS_OF_PAGE && bytes < maxBytes)
    for (let steps = 0; !done && entries.length <= limit && isWanting(steps); steps += 1) {
      const query = {
        sessionId: session.id,
        reader: session.owner,
        filter: args.filter,
        direction,
        ...bounds,
        // One more than requested, to know whether there is another page.
        limit: Math.min(LOG_PAGE_BOUNDS.max, toSkip + limit + 1 - entries.length),
        maxBytes: maxBytes - bytes,
      }
      const step = await this.#store.readEntries(query, reads.signal)
      // Unreadable entries pass any filter, whose kinds determine whether the reader sees them.
      const found = step.entries.filter((entry) => matchesFilter(entry, args.filter))
      // The first entry of a step is read regardless of its size: it begins the next page.
      if (bytes > 0 && bytes + step.bytes > maxBytes) break
      const skipped = Math.min(toSkip, found.length)
      toSkip -= skipped
      if (forward) entries.push(...found.slice(skipped))
      else entries.unshift(...found)
      // Skipped entries are not held.
      if (toSkip === 0) bytes += step.bytes
      scannedTo = step.scannedTo
      bounds = forward ? { after: scannedTo, before } : { after, before: scannedTo }
      done = step.done
    }
    // Retention may have begun to delete the log: the rest of it is not the log.
    if (isEnded(session.status) && !(await this.#store.readHead(session.id))) throw new NotFound('session')

    const isFull = entries.length > limit
    if (isFull) {
      if (forward) entries.length = limit
      else entries.splice(0, entries.length - limit)
    }
    const hasMore = isFull || !done
    // A short page reports how far it scanned, so that the reader resumes there instead of scanning the same again.
    const reached = !isFull && hasMore && scannedTo !== null ? encodeEntryCursor(session.id, scannedTo) : null
    const first = entries[0] ? encodeEntryCursor(session.id, entries[0].sequence) : null
    const last = entries.length > 0 ? encodeEntryCursor(session.id, entries.at(-1)!.sequence) : null
    const page = {
      entries,
      hasNextPage: forward ? hasMore : before !== undefined && before <= session.lastSequence,
      hasPreviousPage: forward ? after > 0 || offset > 0 : hasMore,
      startCursor: forward ? (first ?? args.after ?? null) : (reached ?? first ?? args.before ?? null),
      endCursor: forward ? (reached ?? last ?? args.after ?? null) : (last ?? args.before ?? null),
      totalCount: () => this.#count(session, args.filter, reads.signal),
    }
    return { page, bytes }
  }

  findEntry(sessionId: string, sequence: number): Promise<LogEntry | null> {
    return this.#store.findEntry(sessionId, sequence)
  }

  findRequest(sessionId: string, requestId: number): Promise<LogEntry | null> {
    return this.#store.findRequestEntry(sessionId, requestId)
  }

  /** The session may be out of date. */
  async #decode(session: SessionSnapshot, cursor: string, argument: string): Promise<number> {
    const live = await this.#liveLog(session.id)
    const { lastSequence } = live
      ? await answerOr<{ lastSequence: number }>(live.logHead(), () => this.#storedHead(session))
      : session
    return decodePlace(session, cursor, argument, lastSequence)
  }

  async #storedHead(session: SessionSnapshot): Promise<{ lastSequence: number }> {
    return (await this.#store.readHead(session.id)) ?? session
  }

  async #count(session: SessionSnapshot, filter: EntryFilter, signal: AbortSignal): Promise<number> {
    const known = knownCount(session, filter)
    if (known !== null) return known
    const deadline = performance.now() + this.#countSeconds * 1000
    let count = 0
    let after = 0
    for (;;) {
      const query = { sessionId: session.id, reader: session.owner, filter, after }
      const step = await this.#store.countEntries(query, signal)
      count += step.count
      if (step.done) return count
      if (performance.now() > deadline) throw new CountTooLong(this.#countSeconds)
      after = step.scannedTo
    }
  }

  /** Head of a session that ran in this process. Throws DatabaseUnavailable if its end could not be stored. */
  async #lastHead(sessionId: string): Promise<LogHead | null> {
    const head = await this.#store.readHead(sessionId)
    if (head && !head.ended) throw new DatabaseUnavailable(END_NOT_STORED)
    return head
  }

  #source({ id, owner }: SessionSnapshot): LogSource {
    const store = this.#store
    // Separate from the owner's queries: a page must not wait for a hundred replays of the same owner.
    const reader = `followers of ${owner}`
    let wasHere = false
    return {
      sessionId: id,
      head: async () => {
        const live = await this.#liveLog(id)
        wasHere ||= live !== null
        const stored = () =>
          wasHere && this.#drained
            ? this.#lastHead(id)
            : readingFor({ name: reader, signal: null }, () => store.readHead(id))
        return live ? answerOr<LogHead | null>(live.logHead(), stored) : stored()
      },
      readTail: async (after, limit, maxBytes) => {
        const live = await this.#liveLog(id)
        return live ? answerOr(live.logTail(after, limit, maxBytes), () => null) : null
      },
      readStore: (query, signal) => store.readEntries({ ...query, reader }, signal),
      onWakeUp: (listener) => {
        const following = () => listener()
        this.#following.add(following)
        const unsubscribe = this.#bus.subscribe(id, listener)
        return () => {
          unsubscribe()
          this.#following.delete(following)
          if (this.#following.size === 0) this.#drained?.()
        }
      },
    }
  }
}

/** Throws CursorInvalid, also for a cursor beyond the end. */
function decodePlace(session: SessionSnapshot, cursor: string, argument: string, lastSequence: number): number {
  const sequence = decodeEntryCursor(session.id, cursor, argument)
  // A log never shrinks; a cursor beyond its end predates the restore of a backup.
  if (sequence > lastSequence) throw new CursorInvalid(argument)
  return sequence
}

/** A requested page, with its cursors decoded to positions. */
interface PlacedRequest extends PageRequest {
  after: number
  before: number | undefined
  maxBytes: number
}

/** A count known from the counters that are stored with each append (guarantee 11), without counting. */
function knownCount(session: SessionSnapshot, filter: EntryFilter): number | null {
  const isPlain = (members: object | null | undefined) => Object.values(members ?? {}).every((value) => value == null)
  if (![filter.console, filter.network, filter.webSocket, filter.eventSource].every(isPlain)) return null
  if (!filter.kinds) return session.lastSequence
  const counters: Partial<Record<SessionEventKind, number>> = {
    CONSOLE_MESSAGE: session.consoleMessageCount,
    NETWORK_REQUEST: session.networkRequestCount,
    ACTION: session.actionCount,
    NAVIGATION: session.navigationCount,
  }
  const kinds = [...new Set(filter.kinds)]
  const counts = kinds.map((kind) => counters[kind])
  return counts.every((count) => count !== undefined) ? counts.reduce((sum, count) => sum + count, 0) : null
}
