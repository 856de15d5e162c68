import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { EntryFilter, LogEntry, SessionEventKind } from '../ports/log-entry.ts'
import type { EntryQuery, EntryStep, LogHead } from '../ports/store.ts'
import { encodeEntryCursor } from './cursor.ts'
import { matchesFilter } from './entry-filter.ts'
import { approximateSize } from './entry-size.ts'
import { NotFound } from './errors.ts'

export interface LogBatch {
  entries: LogEntry[]
  /** Everything up to here has been delivered or was not wanted: where to resume. */
  cursor: string
  /** False while replaying; true when the end of the log, as it was then, has been reached. */
  live: boolean
  /** Sum of what ENTRIES_DROPPED entries since the previous batch count, of the wanted kinds. */
  dropped: number
  /** Whether one of those entries does not know how many it stands for. */
  droppedUnknown: boolean
}

/** What a follower reads from: a live session's log in memory first, the store for the rest. */
export interface LogSource {
  readonly sessionId: string
  /** The live log's head, or the store's; null when the session has been deleted. */
  head(): LogHead | Promise<LogHead | null>
  /** Committed entries after the sequence from memory; null: not there. */
  readTail(after: number, limit: number, maxBytes: number): LogEntry[] | null
  readStore(query: EntryQuery): Promise<EntryStep>
  /** Calls back when the log may have grown. Returns the disposer. */
  onWakeUp(listener: () => void): () => void
}

export interface FollowerTiming {
  /** How often to look without a wake-up (law 3: the slow poll behind the bus). */
  pollMs: number
  /** How long a filtered reader may be left without a cursor to resume from. */
  progressMs: number
}

/** A step of reading the store, and the end of the log at the time it was asked for: it says nothing beyond that. */
interface Reading {
  step: EntryStep
  upTo: number
}

const BATCH_ENTRIES = 500
/** Of approximate size: keeps a message on the wire, and what one reader holds in memory, around a megabyte. */
const BATCH_BYTES = 512 * 1024
/** An iterator that is always ready would starve everyone else (DESIGN.md, Facts). */
const YIELD_AFTER_MS = 5

/**
 * Follows a session's log from a cursor (law 4): subscribe to wake-ups, read from the cursor, then follow. It holds a
 * cursor and at most two steps of reading, nothing per entry (law 5): a reader that stops reading stops the follower.
 *
 * An iterator written by hand, because `return()` of an async generator waits for the `await` it is in; this one frees
 * everything at once.
 */
export class LogFollower implements AsyncIterableIterator<LogBatch> {
  readonly #source: LogSource
  readonly #filter: EntryFilter
  readonly #readFilter: EntryFilter
  readonly #timing: FollowerTiming
  readonly #signal: AbortSignal

  #cursor: number
  #emittedCursor: number
  #emittedAt = Date.now()
  #live = false
  #dropped = 0
  #droppedUnknown = false
  /** Read from the store and not yet delivered. */
  #waiting: LogEntry[] = []
  #waitingUpTo: number
  /** Where the log ended when it was last looked at. */
  #seenHead = Number.POSITIVE_INFINITY
  #ahead: { after: number; reading: Promise<Reading> } | null = null

  #unsubscribe: (() => void) | null = null
  #woken = false
  #wake: (() => void) | null = null
  #closed = false
  #lastYieldAt = performance.now()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(source: LogSource, after: number, filter: EntryFilter, timing: FollowerTiming, signal: AbortSignal) {
    this.#source = source
    this.#cursor = after
    this.#emittedCursor = after
    this.#waitingUpTo = after
    this.#filter = filter
    this.#timing = timing
    this.#signal = signal
    const { kinds } = filter
    const mustSeeDrops = kinds && !kinds.includes('ENTRIES_DROPPED')
    this.#readFilter = mustSeeDrops ? { ...filter, kinds: [...kinds, 'ENTRIES_DROPPED'] } : filter
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<LogBatch, undefined>> {
    const turn = this.#turn.then(() => this.#pull())
    this.#turn = turn.catch(() => {})
    return turn
  }

  async return(): Promise<IteratorResult<LogBatch, undefined>> {
    this.#close()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<LogBatch, undefined>> {
    this.#close()
    throw error
  }

  readonly #onAbort = () => this.#close()

  #close(): void {
    this.#closed = true
    this.#unsubscribe?.()
    this.#unsubscribe = null
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#waiting = []
    this.#ahead = null
    this.#wake?.()
  }

  async #pull(): Promise<IteratorResult<LogBatch, undefined>> {
    try {
      const batch = await this.#nextBatch()
      if (batch) return { done: false, value: batch }
    } catch (error) {
      this.#close()
      throw error
    }
    this.#close()
    return { done: true, value: undefined }
  }

  async #nextBatch(): Promise<LogBatch | null> {
    this.#start()
    while (!this.#closed) {
      if (performance.now() - this.#lastYieldAt > YIELD_AFTER_MS) {
        await yieldToOthers()
        this.#lastYieldAt = performance.now()
      }
      if (this.#waiting.length > 0) {
        const entries = this.#takeWaiting()
        // The last of them says itself that the end was reached: an empty batch after it would blank a reader that
        // shows one batch at a time, as GraphiQL does.
        return this.#emit(entries, this.#waiting.length === 0 && this.#cursor >= this.#seenHead)
      }
      this.#cursor = this.#waitingUpTo

      this.#woken = false
      const head = await this.#source.head()
      if (this.#closed) return null
      // Deleted by retention while it was followed: not an end that the reader could take for the whole log.
      if (!head) throw new NotFound('session')
      this.#seenHead = head.lastSequence
      if (this.#cursor < head.lastSequence) {
        const batch = await this.#advance(head)
        if (batch) return batch
        continue
      }
      if (head.ended) return !this.#live || this.#cursor > this.#emittedCursor ? this.#emit([], true) : null
      if (!this.#live) return this.#emit([], true)
      await this.#untilWoken()
      if (this.#isProgressDue()) return this.#emit([], true)
    }
    return null
  }

  #start(): void {
    if (this.#unsubscribe || this.#closed) return
    if (this.#signal.aborted) return this.#close()
    this.#signal.addEventListener('abort', this.#onAbort)
    this.#unsubscribe = this.#source.onWakeUp(() => {
      this.#woken = true
      this.#wake?.()
    })
  }

  async #advance(head: LogHead): Promise<LogBatch | null> {
    const tail = this.#source.readTail(this.#cursor, BATCH_ENTRIES, BATCH_BYTES)
    if (tail && tail.length > 0) {
      this.#waitingUpTo = this.#cursor = tail.at(-1)!.sequence
      const wanted = this.#sift(tail)
      const caughtUp = this.#cursor >= head.lastSequence
      if (wanted.length > 0 || this.#hasDropped || (caughtUp && !this.#live) || this.#isProgressDue()) {
        return this.#emit(wanted, caughtUp)
      }
      return null
    }
    const { step, upTo } = await this.#readStep(head)
    if (this.#closed) return null
    this.#waitingUpTo = step.done ? upTo : step.scannedTo
    this.#waiting = this.#sift(step.entries)
    if (this.#waitingUpTo < head.lastSequence) this.#readAhead(head)
    if (this.#waiting.length > 0) return null
    this.#cursor = this.#waitingUpTo
    return this.#hasDropped || this.#isProgressDue() ? this.#emit([], this.#cursor >= head.lastSequence) : null
  }

  #readStep(head: LogHead): Promise<Reading> {
    const ahead = this.#ahead
    this.#ahead = null
    return ahead?.after === this.#cursor ? ahead.reading : this.#read(this.#cursor, head)
  }

  /** While a step is being delivered the store reads the next: replay then costs the dearer of the two, not both. */
  #readAhead(head: LogHead): void {
    const reading = this.#read(this.#waitingUpTo, head)
    // It may never be asked for; when it is, the failure is thrown there.
    reading.catch(() => {})
    this.#ahead = { after: this.#waitingUpTo, reading }
  }

  async #read(after: number, head: LogHead): Promise<Reading> {
    const upTo = head.lastSequence
    const step = await this.#source.readStore({
      sessionId: this.#source.sessionId,
      filter: this.#readFilter,
      direction: 'forward',
      after,
      before: upTo + 1,
      limit: BATCH_ENTRIES,
    })
    return { step, upTo }
  }

  /** The wanted entries; what ENTRIES_DROPPED entries among them count is noted. */
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

  #takeWaiting(): LogEntry[] {
    let bytes = 0
    let count = 0
    while (count < this.#waiting.length && (count === 0 || bytes < BATCH_BYTES)) {
      bytes += approximateSize(this.#waiting[count]!.data)
      count += 1
    }
    const taken = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count)
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count)
    this.#cursor = this.#waiting.length === 0 ? this.#waitingUpTo : taken.at(-1)!.sequence
    return taken
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

  #untilWoken(): Promise<void> {
    if (this.#woken || this.#closed) return Promise.resolve()
    const owesProgress = this.#cursor > this.#emittedCursor
    const progressMs = owesProgress ? this.#emittedAt + this.#timing.progressMs - Date.now() : Number.POSITIVE_INFINITY
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#wake = null
        resolve()
      }
      const timer = setTimeout(done, Math.max(0, Math.min(this.#timing.pollMs, progressMs)))
      this.#wake = done
    })
  }
}
