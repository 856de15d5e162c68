import type { EntryDraft } from '../../../ports/log/log-entry.ts'
import { PacedDrops } from './dropped-entries.ts'

/**
 * Share of the queue that messages may fill. The excess is dropped separately from everything else: a flooding socket
 * costs no console or network entries.
 */
export const MESSAGE_SHARE = 0.25

/** Message entries that did not fit in the queue. */
export class MessageDrops {
  readonly #flood: PacedDrops
  readonly #unavailable: PacedDrops

  constructor(report: (draft: EntryDraft<'ENTRIES_DROPPED'>) => void) {
    this.#flood = new PacedDrops('FLOOD', false, report)
    this.#unavailable = new PacedDrops('STORE_UNAVAILABLE', false, report)
  }

  add(dropped: Pick<EntryDraft, 'kind' | 'at'>, isStoreAway: boolean): void {
    if (isStoreAway) this.#unavailable.add(dropped)
    else this.#flood.add(dropped)
  }

  /** Reports pending drops now. */
  settle(): void {
    this.#flood.settle()
    this.#unavailable.settle()
  }

  stop(): void {
    this.#flood.stop()
    this.#unavailable.stop()
  }
}
