import { PulledStream } from '../../../async/pulled-stream.ts'
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { EntryFilter, LogEntry, SessionEventKind } from '../../../ports/log/log-entry.ts'
import type { EntryQuery, EntryStep, LogHead } from '../../../ports/store/store.ts'
import { encodeEntryCursor } from '../../kernel/cursor.ts'
import { UNLIMITED_SPACE, type DeliverySpace, type Reservation } from './delivery.ts'
import { matchesFilter } from '../entries/entry-filter.ts'
import { approximateSize } from '../entries/entry-size.ts'
import { NotFound } from '../../kernel/errors.ts'

export interface LogBatch {
  entries: LogEntry[]
  /** Cursor to resume from: everything up to here has been delivered or filtered out. */
  cursor: string
  /** False while replaying; true once the end of the log at that time has been reached. */
  live: boolean
  /** Sum of the counts of ENTRIES_DROPPED entries since the previous batch, for the wanted kinds. */
  dropped: number
  /** Whether one of those entries has an unknown count. */
  droppedUnknown: boolean
}

/** Source of a follower: a live session's log in memory first, the store for the rest. */
export interface LogSource {
  readonly sessionId: string
  /** Head of the live log, or that of the store; null if the session has been deleted. */
  head(): Promise<LogHead | null>
  /** Committed entries after the sequence from memory; null if they are not there. */
  readTail(after: number, limit: number, maxBytes: number): Promise<LogEntry[] | null>
  readStore(query: EntryQuery, signal: AbortSignal): Promise<EntryStep>
  /** Calls back when the log may have grown. Returns the disposer. */
  onWakeUp(listener: () => void): () => void
}

export interface FollowerTiming {
  /** Poll interval without a wake-up (guarantee 3: the slow poll behind the bus). */
  pollMs: number
  /** Longest time that a filtered reader goes without a new cursor to resume from. */
  progressMs: number
}

/** One step of reading the store, with the end of the log when it was requested: it covers nothing beyond that. */
interface Reading {
  step: EntryStep
  upTo: number
}

/** The step after the one being delivered, with its reserved space. */
interface Ahead {
  reading: Promise<Reading>
  held: Reservation
}

const BATCH_ENTRIES = 500
/** Bound of a batch beyond its first entry: keeps a wire message, and the data held per reader, around a megabyte. */
const BATCH_BYTES = 512 * 1024
/** An iterator that is always ready would never yield to the event loop, and starve everything else. */
const YIELD_AFTER_MS = 5

/**
 * Follows a session's log from a cursor (guarantee 4): subscribe to wake-ups, read from the cursor, then follow. It
 * holds a cursor and at most two batches, nothing per entry (guarantee 5). The connection must have space for the
 * batches before they are read: a reader that stops reading stops its follower, and the others of its connection.
 */
export class LogFollower extends PulledStream<LogBatch> {
  readonly #source: LogSource
  readonly #filter: EntryFilter
  readonly #readFilter: EntryFilter
  readonly #timing: FollowerTiming
  readonly #space: DeliverySpace
  /** Aborts its waits and reads. */
  readonly #stop = new AbortController()

  #cursor: number
  #emittedCursor: number
  #emittedAt = Date.now()
  #live = false
  #dropped = 0
  #droppedUnknown = false
  /** Space of the batch being delivered; released when the reader requests the next. */
  #held: Reservation | null = null
  #ahead: Ahead | null = null

  #unsubscribe: (() => void) | null = null
  #lastYieldAt = performance.now()

  constructor(
    source: LogSource,
    after: number,
    filter: EntryFilter,
    timing: FollowerTiming,
    signal: AbortSignal,
    space: DeliverySpace = UNLIMITED_SPACE,
  ) {
    super(signal)
    this.#source = source
    this.#cursor = after
    this.#emittedCursor = after
    this.#filter = filter
    this.#timing = timing
    this.#space = space
    const { kinds } = filter
    const mustSeeDrops = kinds && !kinds.includes('ENTRIES_DROPPED')
    this.#readFilter = mustSeeDrops ? { ...filter, kinds: [...kinds, 'ENTRIES_DROPPED'] } : filter
  }

  protected begin(): void {
    this.#unsubscribe = this.#source.onWakeUp(() => this.wake())
  }

  protected free(): void {
    this.#unsubscribe?.()
    this.#stop.abort()
    this.#release()
    this.#ahead?.held.release()
    this.#ahead = null
  }

  #release(): void {
    this.#held?.release()
    this.#held = null
  }

  protected async pull(): Promise<LogBatch | null> {
    this.#release()
    while (!this.hasEnded) {
      if (performance.now() - this.#lastYieldAt > YIELD_AFTER_MS) {
        await yieldToOthers()
        this.#lastYieldAt = performance.now()
      }
      this.forgetNews()
      const head = await this.#source.head()
      if (this.hasEnded) return null
      // Deleted by retention while being followed: the reader must not mistake that for the end of the log.
      if (!head) throw new NotFound('session')
      if (this.#cursor < head.lastSequence) {
        const batch = await this.#advance(head)
        if (batch) return batch
        continue
      }
      if (head.ended) return !this.#live || this.#cursor > this.#emittedCursor ? this.#emit([], true) : null
      if (!this.#live) return this.#emit([], true)
      await this.#untilNews()
      if (this.#isProgressDue()) return this.#emit([], true)
    }
    return null
  }

  /** Reads one step; null if it has nothing to deliver. Its space stays reserved while it is delivered. */
  async #advance(head: LogHead): Promise<LogBatch | null> {
    const ahead = this.#ahead
    this.#ahead = null
    const held = ahead?.held ?? (await this.#space.reserve(BATCH_BYTES, this.#stop.signal))
    if (this.hasEnded) return (held.release(), null)
    this.#held = held
    const { entries, bytes, upTo, isStored } = await this.#read(head, ahead)
    if (this.hasEnded) return null
    held.resize(bytes)
    this.#cursor = upTo
    const wanted = this.#sift(entries)
    // The last batch itself says that the end was reached: an empty batch after it would blank clients that show one
    // batch at a time, as GraphiQL does.
    const caughtUp = this.#cursor >= head.lastSequence
    if (wanted.length > 0 || this.#hasDropped || (caughtUp && !this.#live) || this.#isProgressDue()) {
      if (isStored && !caughtUp) this.#readAhead(head)
      return this.#emit(wanted, caughtUp)
    }
    this.#release()
    return null
  }

  async #read(head: LogHead, ahead: Ahead | null) {
    const tail = ahead ? null : await this.#source.readTail(this.#cursor, BATCH_ENTRIES, BATCH_BYTES)
    if (tail && tail.length > 0) {
      const bytes = tail.reduce((sum, { data }) => sum + approximateSize(data), 0)
      return { entries: tail, bytes, upTo: tail.at(-1)!.sequence, isStored: false }
    }
    const { step, upTo } = await (ahead?.reading ?? this.#readStore(head))
    return { entries: step.entries, bytes: step.bytes, upTo: step.done ? upTo : step.scannedTo, isStored: true }
  }

  /**
   * While a step is being delivered the store reads the next: replay then costs the maximum of the two, not the sum.
   */
  #readAhead(head: LogHead): void {
    const held = this.#space.tryReserve(BATCH_BYTES)
    if (!held) return
    const reading = this.#readStore(head)
    // It may never be consumed; if it is, the failure is thrown there.
    reading.then(
      ({ step }) => held.resize(step.bytes),
      () => {},
    )
    this.#ahead = { reading, held }
  }

  async #readStore(head: LogHead): Promise<Reading> {
    const upTo = head.lastSequence
    const query: EntryQuery = {
      sessionId: this.#source.sessionId,
      filter: this.#readFilter,
      direction: 'forward',
      after: this.#cursor,
      before: upTo + 1,
      limit: BATCH_ENTRIES,
      maxBytes: BATCH_BYTES,
    }
    const step = await this.#source.readStore(query, this.#stop.signal)
    return { step, upTo }
  }

  /** The wanted entries; adds up the counts of ENTRIES_DROPPED entries. */
  #sift(entries: readonly LogEntry[]): LogEntry[] {
    const wanted: LogEntry[] = []
    for (const entry of entries) {
      if (entry.kind === 'ENTRIES_DROPPED') this.#noteDropped(entry)
      if (matchesFilter(entry, this.#filter)) wanted.push(entry)
    }
    return wanted
  }

  #noteDropped({ data: { count, countsByKind } }: LogEntry<'ENTRIES_DROPPED'>): void {
    const { kinds } = this.#filter
    if (count === null) this.#droppedUnknown = true
    else if (!kinds) this.#dropped += count
    else this.#dropped += kinds.reduce((sum: number, kind: SessionEventKind) => sum + (countsByKind[kind] ?? 0), 0)
  }

  get #hasDropped(): boolean {
    return this.#dropped > 0 || this.#droppedUnknown
  }

  #isProgressDue(): boolean {
    return this.#cursor > this.#emittedCursor && Date.now() - this.#emittedAt >= this.#timing.progressMs
  }

  #emit(entries: LogEntry[], live: boolean): LogBatch {
    const dropped = this.#dropped
    const droppedUnknown = this.#droppedUnknown
    this.#dropped = 0
    this.#droppedUnknown = false
    this.#live = live
    this.#emittedCursor = this.#cursor
    this.#emittedAt = Date.now()
    return { entries, cursor: encodeEntryCursor(this.#source.sessionId, this.#cursor), live, dropped, droppedUnknown }
  }

  #untilNews(): Promise<void> {
    const owesProgress = this.#cursor > this.#emittedCursor
    const progressMs = owesProgress ? this.#emittedAt + this.#timing.progressMs - Date.now() : Number.POSITIVE_INFINITY
    return this.untilNews(Math.max(0, Math.min(this.#timing.pollMs, progressMs)))
  }
}
