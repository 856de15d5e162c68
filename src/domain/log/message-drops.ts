import type { EntryDraft } from '../../ports/log-entry.ts'
import { PacedDrops } from './dropped-entries.ts'

/**
 * Share of the queue that messages may fill. What comes on top is dropped apart from everything else: a socket that floods
 * costs the console and the network nothing.
 */
export const MESSAGE_SHARE = 0.25

/** Entries of messages that found no room in the queue. */
export class MessageDrops {
  readonly #flood: PacedDrops
  readonly #unavailable: PacedDrops

  constructor(tell: (draft: EntryDraft<'ENTRIES_DROPPED'>) => void) {
    this.#flood = new PacedDrops('FLOOD', false, tell)
    this.#unavailable = new PacedDrops('STORE_UNAVAILABLE', false, tell)
  }

  add(dropped: Pick<EntryDraft, 'kind' | 'at'>, isStoreAway: boolean): void {
    if (isStoreAway) this.#unavailable.add(dropped)
    else this.#flood.add(dropped)
  }

  /** Tells now what was not told yet. */
  settle(): void {
    this.#flood.settle()
    this.#unavailable.settle()
  }

  stop(): void {
    this.#flood.stop()
    this.#unavailable.stop()
  }
}
