import { isTime } from '../../../contract/entries/members.ts'
import { owned } from '../../../fault-owner.ts'
import type { DropReason, EntryData, EntryDraft, SessionEventKind } from '../../../ports/log/log-entry.ts'
import { isNeverDropped } from '../entries/drop-policy.ts'

/** Counts entries that could not be recorded, until one ENTRIES_DROPPED entry reports them all (guarantee 7). */
export class DroppedEntries {
  readonly reason: DropReason
  #count = 0
  #isUnknown = false
  #countsByKind: Partial<Record<SessionEventKind, number>> = {}
  #from = Number.POSITIVE_INFINITY
  #to = Number.NEGATIVE_INFINITY

  constructor(reason: DropReason) {
    this.reason = reason
  }

  get count(): number {
    return this.#count
  }

  get isEmpty(): boolean {
    return this.#count === 0 && !this.#isUnknown
  }

  /** Keeps the waiting entries that must not be dropped; counts the rest. */
  takeFrom<Q extends { draft: EntryDraft; patch: object | null }>(waiting: readonly Q[]): Q[] {
    return waiting.filter(({ draft, patch }) => {
      const stays = patch !== null || isNeverDropped(draft)
      if (!stays) this.add(draft)
      return stays
    })
  }

  add({ kind, at }: Pick<EntryDraft, 'kind' | 'at'>): void {
    this.#count += 1
    this.#countsByKind[kind] = (this.#countsByKind[kind] ?? 0) + 1
    // The store may have rejected it because of this time.
    const time = isTime(at) ? at : Date.now()
    this.#from = Math.min(this.#from, time)
    this.#to = Math.max(this.#to, time)
  }

  /** What an earlier report counted. */
  include({ count, countsByKind, from, to }: EntryData['ENTRIES_DROPPED']): void {
    this.#isUnknown ||= count === null
    this.#count += count ?? 0
    for (const [kind, number] of Object.entries(countsByKind) as [SessionEventKind, number][]) {
      this.#countsByKind[kind] = (this.#countsByKind[kind] ?? 0) + number
    }
    this.#from = Math.min(this.#from, from)
    this.#to = Math.max(this.#to, to)
  }

  toDraft(at: number): EntryDraft<'ENTRIES_DROPPED'> {
    const { reason } = this
    const count = this.#isUnknown ? null : this.#count
    const data = { reason, count, countsByKind: this.#countsByKind, from: this.#from, to: this.#to }
    return { kind: 'ENTRIES_DROPPED', at, data }
  }
}

/** Pause between two ENTRIES_DROPPED of a persistent reason; doubled each time, so that their number stays small. */
const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 60_000

/** Dropped entries of a persistent reason: the first is reported at once, the others at growing intervals. */
export class PacedDrops {
  readonly #reason: DropReason
  readonly #isLasting: boolean
  readonly #report: (draft: EntryDraft<'ENTRIES_DROPPED'>) => void
  #pending: DroppedEntries | null = null
  readonly #onTime = owned(() => this.#timeUp())
  #timer: NodeJS.Timeout | null = null
  #pauseMs = FIRST_PAUSE_MS

  /** `isLasting`: the reason never goes away, so the intervals never shrink again. */
  constructor(reason: DropReason, isLasting: boolean, report: (draft: EntryDraft<'ENTRIES_DROPPED'>) => void) {
    this.#reason = reason
    this.#isLasting = isLasting
    this.#report = report
  }

  add(dropped: Pick<EntryDraft, 'kind' | 'at'>): void {
    this.#pending ??= new DroppedEntries(this.#reason)
    this.#pending.add(dropped)
    if (this.#timer) return
    this.settle()
    this.#timer = setTimeout(this.#onTime, this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, LAST_PAUSE_MS)
  }

  /** Reports pending drops now. */
  settle(): void {
    if (!this.#pending) return
    const draft = this.#pending.toDraft(Date.now())
    this.#pending = null
    this.#report(draft)
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }

  #timeUp(): void {
    this.#timer = null
    if (!this.#pending && !this.#isLasting) this.#pauseMs = FIRST_PAUSE_MS
    this.settle()
  }
}
