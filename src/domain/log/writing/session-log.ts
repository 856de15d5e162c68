import { setImmediate as turn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { bound } from '../../../fault-owner.ts'
import type { EntryDraft, LogEntry, MissReason, SessionEventKind } from '../../../ports/log/log-entry.ts'
import { StoreFull, StoreUnavailable, UnstorableBatch } from '../../../ports/store/store-errors.ts'
import type { LogHead, Store } from '../../../ports/store/store.ts'
import type { SessionPatch, SessionRecord } from '../../../ports/sessions/session-record.ts'
import { AwaitedEntries } from './awaited-entries.ts'
import { CommitPace } from './commit-pace.ts'
import { CommitProgress } from './commit-progress.ts'
import { DropMarkers } from './drop-markers.ts'
import { DroppedEntries } from './dropped-entries.ts'
import { approximateSize } from '../entries/entry-size.ts'
import { endFailedLog, unrecordedOf } from './failed-log.ts'
import { countsOf, countsWith, type LogCounts } from './log-counts.ts'
import type { LogLimits } from './log-limits.ts'
import { LogTail } from './log-tail.ts'
import { hasOwnCap, isNeverDropped } from '../entries/drop-policy.ts'
import { MESSAGE_SHARE } from './message-drops.ts'
import { EntryQueue, type Queued } from './entry-queue.ts'
import type { SessionLogEvents } from './session-log-events.ts'
import { StoreRetry } from './store-retry.ts'
import { deeplyWellFormed } from '../entries/well-formed.ts'

/**
 * The only writer of a session's log (guarantees 1, 2, 7 and 9 of docs/event-log.md).
 * `append` never waits and never fails: it queues. A single loop takes the queued entries, numbers them, commits them
 * in one statement and only then notifies readers. While a batch commits the next one gathers, so an idle log has the
 * latency of one commit and a busy one the throughput of large batches. Sequences are assigned when a batch is
 * formed, not when an entry is queued, so dropped entries leave a marker in their place and no gap.
 */
export class SessionLog {
  readonly sessionId: string
  readonly #store: Store
  readonly #limits: LogLimits
  readonly #events: SessionLogEvents
  readonly #logger: Logger
  readonly #tail: LogTail

  readonly #queue: EntryQueue
  #patch: SessionPatch | null = null
  #lastSequence: number
  #accepted: number
  #counts: LogCounts
  #ended = false
  #lost = false
  #isCut = false
  #batch: readonly LogEntry[] = []
  /** Once it is queued, nothing may follow it (guarantee 10). */
  #final: EntryDraft | null = null
  /** What the final entry of a failed log is preceded by. */
  #unrecorded: DroppedEntries | null = null
  #isCommitting = false
  /** Its faults are the session's, regardless of the caller that appends. */
  readonly #committing = bound(() => this.#commitAll())
  readonly #progress = new CommitProgress()
  readonly #retry: StoreRetry
  readonly #awaited = new AwaitedEntries()
  /** A batch is due at once when a caller waits for it, or when it is full. */
  readonly #pace = new CommitPace(
    () => this.#progress.isAwaited || !this.#awaited.isEmpty || this.#isCut || this.#lost || this.#queue.hasBatch,
  )

  /** Entries dropped because the queue was full; recording resumes when it is half empty again. */
  #overflow: DroppedEntries | null = null
  readonly #drops = new DropMarkers((draft) => this.#mark(draft))

  constructor(
    store: Store,
    record: SessionRecord,
    firstEntries: readonly LogEntry[],
    limits: LogLimits,
    events: SessionLogEvents,
    logger: Logger,
  ) {
    this.sessionId = record.id
    this.#store = store
    this.#limits = limits
    this.#queue = new EntryQueue(limits)
    this.#events = events
    this.#logger = logger.child({ sessionId: record.id })
    this.#retry = new StoreRetry(this.#logger)
    this.#lastSequence = record.lastSequence
    this.#accepted = record.lastSequence
    this.#counts = countsOf(record)
    this.#tail = new LogTail(limits.maxTailEntries, limits.maxTailBytes)
    for (const entry of firstEntries) this.#tail.push(entry, approximateSize(entry.data))
  }

  /** Covers committed entries only. */
  get head(): LogHead {
    return { lastSequence: this.#lastSequence, ended: this.#ended }
  }

  /** Covers committed entries only. */
  get counts(): LogCounts {
    return this.#counts
  }

  /** Committed entries after the sequence, from memory; null if the store must be read. */
  readTail(after: number, limit: number, maxBytes: number): LogEntry[] | null {
    return this.#tail.readAfter(after, limit, maxBytes)
  }

  /** With a patch, the row changes in the transaction that commits the entry. */
  append(draft: EntryDraft, patch: SessionPatch | null = null): void {
    if (this.#isOver) return this.#unrecorded?.add(draft)
    const data = deeplyWellFormed(draft.data)
    const repaired = data === draft.data ? draft : ({ ...draft, data } as EntryDraft)
    const queued = { draft: repaired, size: approximateSize(data), patch: patch && deeplyWellFormed(patch) }
    if (isNeverDropped(draft)) {
      this.#settleDropped()
      this.#enqueue(queued)
    } else if (hasOwnCap(draft)) {
      if (this.#isFull(queued.size, MESSAGE_SHARE)) this.#drops.messages.add(draft, this.#retry.isFailing)
      else this.#enqueue(queued)
    } else if (this.#accepted >= this.#limits.maxEntries) {
      this.#dropAtLimit(draft)
    } else if (this.#isFull(queued.size)) {
      this.#overflow ??= new DroppedEntries(this.#retry.isFailing ? 'STORE_UNAVAILABLE' : 'FLOOD')
      this.#overflow.add(draft)
    } else {
      if (this.#overflow) this.#settleOverflow()
      this.#accepted += 1
      this.#enqueue(queued)
    }
    this.#startCommitting()
  }

  /** Records that an entry of this kind is missing at this point. */
  miss(kind: SessionEventKind, reason: MissReason): void {
    const dropped = { kind, at: Date.now() }
    if (this.#isOver) return this.#unrecorded?.add(dropped)
    // Markers of many are few, so what is missed takes no place of what is recorded.
    if (this.#accepted >= this.#limits.maxEntries) this.#dropAtLimit(dropped)
    else this.#drops.missed(dropped, reason)
  }

  /**
   * Like append; resolves with the entry once it is committed, or with null if it will never be: the log was lost or
   * has ended, or the store rejects the entry.
   */
  commit(draft: EntryDraft, patch: SessionPatch | null = null): Promise<LogEntry | null> {
    const data = deeplyWellFormed(draft.data)
    const committed = this.#isOver ? Promise.resolve(null) : this.#awaited.expect(data)
    this.append({ ...draft, data } as EntryDraft, patch)
    return committed
  }

  /** Changes the session's row together with the next batch, or on its own if none is waiting. */
  patch(patch: SessionPatch): void {
    if (this.#isOver) return
    this.#patch = { ...this.#patch, ...deeplyWellFormed(patch) }
    this.#progress.patchRequested()
    this.#startCommitting()
  }

  /** Resolves when everything requested so far is committed, or when the log is lost. */
  flush(): Promise<void> {
    const reached = this.#progress.reach()
    this.#pace.look()
    return reached
  }

  /** Commits the final status entry with the row's final state; nothing can be appended afterwards (guarantee 10). */
  async end(draft: EntryDraft<'STATUS_CHANGE'>, patch: SessionPatch): Promise<void> {
    const final = { ...draft, data: deeplyWellFormed(draft.data) }
    if (!this.#isOver) this.append(final, patch)
    this.#final = final
    await this.flush()
    this.#drops.stop()
    if (this.#unrecorded) {
      const log = { sessionId: this.sessionId, lastSequence: this.#lastSequence, unrecorded: this.#unrecorded }
      const entries = await endFailedLog(this.#store, log, final, patch, this.#logger)
      if (entries.length > 0) this.#noteCommitted(entries, patch)
    }
    // A lost log has no final entry: its followers must not take it for complete.
    if (!this.#lost) this.#ended = true
  }

  /** For a shutdown with a log far behind: counts waiting entries instead, so that the end can be committed. */
  cutShort(): void {
    if (this.#ended || this.#lost) return
    const dropped = this.#overflow ?? new DroppedEntries(this.#retry.isFailing ? 'STORE_UNAVAILABLE' : 'FLOOD')
    this.#progress.entriesCommitted(this.#queue.cut(dropped))
    this.#isCut = true
    this.#overflow = null
    this.#retry.hurry()
    this.#startCommitting()
  }

  /** Stops trying to commit: the server is shutting down and the store is unavailable. */
  abandon(): void {
    this.#retry.giveUp()
  }

  /** Writes nothing more, not even an end: another machine continues the log. */
  leave(): void {
    this.#retry.giveUp()
    this.#loseLog()
  }

  get #isOver(): boolean {
    return this.#lost || this.#final !== null || this.#unrecorded !== null
  }

  #enqueue(queued: Queued): void {
    this.#progress.entryRequested()
    this.#queue.push(queued)
  }

  #isFull(size: number, most = 1): boolean {
    // Once full, half of it must drain first, or a steady flood would leave a marker every few entries.
    const share = this.#isCut ? 0 : this.#overflow ? Math.min(0.5, most) : most
    return this.#queue.isFull(size, share)
  }

  /** Queues an ENTRIES_DROPPED even if the queue is full. */
  #mark(draft: EntryDraft<'ENTRIES_DROPPED'>): void {
    this.#progress.entryRequested()
    this.#queue.pushMarker(draft)
    this.#startCommitting()
  }

  #settleOverflow(): void {
    const overflow = this.#overflow
    this.#overflow = null
    if (overflow) this.#mark(overflow.toDraft(Date.now()))
  }

  #dropAtLimit(dropped: Pick<EntryDraft, 'kind' | 'at'>): void {
    this.#settleOverflow()
    this.#drops.atLimit.add(dropped)
  }

  #settleDropped(): void {
    this.#settleOverflow()
    this.#drops.settle()
  }

  #startCommitting(): void {
    this.#pace.look()
    if (this.#isCommitting || this.#lost || (this.#queue.isEmpty && !this.#patch)) return
    this.#isCommitting = true
    this.#committing().then(
      () => {
        this.#isCommitting = false
        // Listeners of the last commit may have queued more since the loop last checked.
        this.#startCommitting()
      },
      (error: unknown) => {
        this.#logger.fatal({ err: error }, 'the log of a session failed')
        this.#settleDropped()
        const batch = this.#batch.filter(({ sequence }) => sequence > this.#lastSequence)
        this.#unrecorded = unrecordedOf([...batch, ...this.#queue.drafts], this.#final)
        this.#isCommitting = false
        this.#events.failed(error)
        this.#loseLog()
      },
    )
  }

  async #commitAll(): Promise<void> {
    // One turn of the event loop gathers all entries that arrived in one chunk of the browser's pipe, or belong
    // together, such as a file and the action that produced it.
    await turn()
    while ((!this.#queue.isEmpty || this.#patch) && !this.#lost) {
      await this.#pace.next()
      if (this.#lost) return
      const loosePatch = this.#patch
      const patches = this.#progress.requestedPatches
      this.#patch = null
      if (this.#queue.isEmpty && loosePatch) {
        await this.#commitPatch(loosePatch)
      } else {
        const { entries, patch } = this.#takeBatch(loosePatch)
        this.#batch = entries
        await this.#commitBatch(entries, patch)
      }
      this.#progress.patchesCommitted(patches)
      if (this.#overflow && !this.#isFull(0)) this.#settleOverflow()
    }
  }

  #takeBatch(loosePatch: SessionPatch | null): { entries: LogEntry[]; patch: SessionPatch | null } {
    let sequence = this.#lastSequence
    let patch = loosePatch
    const entries = this.#queue.take(this.#isCut).map((queued) => {
      if (queued.patch) patch = { ...patch, ...queued.patch }
      return { ...queued.draft, sequence: (sequence += 1) }
    })
    return { entries, patch }
  }

  async #commitPatch(patch: SessionPatch): Promise<void> {
    const isKept = await this.#retry.untilAnswered(async () => {
      try {
        return await this.#store.patchSession(this.sessionId, patch)
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error
        // It would be rejected again and again, and the log with it. It changes state that will change again.
        this.#logger.error({ err: error }, 'the store rejected a change of a session')
        return true
      }
    })
    if (isKept === null) {
      this.#loseLog()
    } else if (!isKept) {
      this.#logger.error('the row of a live session is gone or has ended')
      this.#loseLog()
    } else if (!this.#lost) {
      this.#events.committed([], patch)
    }
  }

  async #commitBatch(entries: LogEntry[], patch: SessionPatch | null): Promise<void> {
    const outcome = await this.#retry.untilAnswered(async () => {
      try {
        return await this.#store.append(this.sessionId, this.#lastSequence, entries, patch ?? undefined)
      } catch (error) {
        if (error instanceof StoreFull && this.#isCut) return { kind: 'full' } as const
        if (error instanceof StoreUnavailable) throw error
        return { kind: 'refused', error } as const
      }
    })
    if (outcome === null) {
      this.#loseLog()
    } else if (outcome.kind === 'full') {
      await this.#putBack(entries, patch)
    } else if (outcome.kind === 'refused') {
      await this.#commitAroundRefused(entries, patch, outcome.error)
    } else if (outcome.kind === 'conflict') {
      this.#logger.error({ outcome }, 'the log of a session has another writer')
      this.#loseLog()
    } else {
      this.#noteCommitted(entries, patch)
    }
  }

  /** Entries that no longer fit are counted, too; the end, for which space is reserved, commits that count. */
  async #putBack(entries: readonly LogEntry[], patch: SessionPatch | null): Promise<void> {
    this.#batch = []
    this.#queue.putBack(entries)
    this.#patch = { ...patch, ...this.#patch }
    this.cutShort()
    if (!(await this.#retry.pause())) this.#loseLog()
  }

  /**
   * Splits a rejected batch until the bad entry is isolated and replaced by ENTRIES_DROPPED (guarantee 9). If the
   * cause was not the data, the same is done to lose as little as possible, but the session has failed.
   */
  async #commitAroundRefused(entries: LogEntry[], patch: SessionPatch | null, cause: unknown): Promise<void> {
    if (entries.length > 1) {
      const middle = entries.length >> 1
      await this.#commitBatch(entries.slice(0, middle), null)
      if (!this.#lost) await this.#commitBatch(entries.slice(middle), patch)
      return
    }
    const [entry] = entries
    this.#logger.error({ err: cause, kind: entry?.kind }, 'the store rejected an entry')
    if (!entry || entry.kind === 'ENTRIES_DROPPED' || entry.kind === 'STATUS_CHANGE') {
      throw new Error('the store rejected an entry that cannot be replaced', { cause })
    }
    const dropped = new DroppedEntries('UNSTORABLE')
    dropped.add(entry)
    await this.#commitBatch([{ ...dropped.toDraft(Date.now()), sequence: entry.sequence }], patch)
    this.#awaited.settle(entry, null)
    if (!(cause instanceof UnstorableBatch)) this.#events.failed(cause)
  }

  #noteCommitted(entries: readonly LogEntry[], patch: SessionPatch | null): void {
    for (const entry of entries) this.#tail.push(entry, approximateSize(entry.data))
    this.#counts = countsWith(this.#counts, entries)
    this.#lastSequence += entries.length
    this.#progress.entriesCommitted(entries.length)
    if (patch?.endedAt) this.#ended = true
    this.#events.committed(entries, patch)
    for (const entry of entries) this.#awaited.settle(entry, entry)
  }

  #loseLog(): void {
    if (this.#lost) return
    this.#lost = true
    this.#queue.clear()
    this.#patch = null
    this.#drops.stop()
    this.#progress.giveUp()
    this.#pace.look()
    this.#awaited.giveUp()
    this.#events.lost()
  }
}
