import type { EntryDraft, MissReason } from '../../../ports/log/log-entry.ts'
import { PacedDrops } from './dropped-entries.ts'
import { MessageDrops } from './message-drops.ts'

/** Entries that one log omits for reasons that may persist; each reason gets markers at its own pace. */
export class DropMarkers {
  readonly atLimit: PacedDrops
  readonly messages: MessageDrops
  readonly #missed: Readonly<Record<MissReason, PacedDrops>>

  /** `mark` writes a marker to the log. */
  constructor(mark: (draft: EntryDraft<'ENTRIES_DROPPED'>) => void) {
    this.atLimit = new PacedDrops('LOG_LIMIT', true, mark)
    this.messages = new MessageDrops(mark)
    this.#missed = {
      FLOOD: new PacedDrops('FLOOD', false, mark),
      MESSAGE_TOO_LARGE: new PacedDrops('MESSAGE_TOO_LARGE', false, mark),
    }
  }

  missed(dropped: Pick<EntryDraft, 'kind' | 'at'>, reason: MissReason): void {
    this.#missed[reason].add(dropped)
  }

  /** Reports pending drops now. */
  settle(): void {
    for (const drops of this.#all()) drops.settle()
  }

  stop(): void {
    for (const drops of this.#all()) drops.stop()
  }

  #all(): (PacedDrops | MessageDrops)[] {
    return [this.atLimit, ...Object.values(this.#missed), this.messages]
  }
}
