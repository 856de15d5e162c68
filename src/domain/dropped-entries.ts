import type { DropReason, EntryDraft, SessionEventKind } from '../ports/log-entry.ts'
import { isNeverDropped } from './never-dropped.ts'

/** Counts entries that could not be recorded, until one ENTRIES_DROPPED entry tells of them all (law 7). */
export class DroppedEntries {
  readonly reason: DropReason
  #count = 0
  #countsByKind: Partial<Record<SessionEventKind, number>> = {}
  #from = Number.POSITIVE_INFINITY
  #to = Number.NEGATIVE_INFINITY

  constructor(reason: DropReason) {
    this.reason = reason
  }

  get count(): number {
    return this.#count
  }

  /** Of what waits, what may not be dropped; the rest is counted. */
  takeFrom<Q extends { draft: EntryDraft; patch: object | null }>(waiting: readonly Q[]): Q[] {
    return waiting.filter(({ draft, patch }) => {
      const stays = patch !== null || isNeverDropped(draft)
      if (!stays) this.add(draft)
      return stays
    })
  }

  add(draft: EntryDraft): void {
    this.#count += 1
    this.#countsByKind[draft.kind] = (this.#countsByKind[draft.kind] ?? 0) + 1
    this.#from = Math.min(this.#from, draft.at)
    this.#to = Math.max(this.#to, draft.at)
  }

  toDraft(at: number): EntryDraft<'ENTRIES_DROPPED'> {
    const { reason } = this
    const data = { reason, count: this.#count, countsByKind: this.#countsByKind, from: this.#from, to: this.#to }
    return { kind: 'ENTRIES_DROPPED', at, data }
  }
}
