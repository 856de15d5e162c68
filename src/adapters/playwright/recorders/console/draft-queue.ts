import type { EntryDraft } from '../../../../ports/log-entry.ts'

/** How long an entry, and all that come after it, wait for what it still lacks. */
const HOLDING_MS = 500
/** Entries that wait behind one. */
const MOST_HELD = 500

interface Held {
  make: () => EntryDraft
  isReady: boolean
  /** Ends its waiting. */
  giveUp: () => void
  timer: NodeJS.Timeout | undefined
}

/** Drafts in the order in which things happened, where some are complete a moment later only. */
export class DraftQueue {
  readonly #record: (draft: EntryDraft) => void
  readonly #failed: (error: unknown) => void
  #held: Held[] = []
  #drained: PromiseWithResolvers<void> | null = null

  /** `failed` hears of what is thrown while a draft that was held is made or recorded. */
  constructor(record: (draft: EntryDraft) => void, failed: (error: unknown) => void) {
    this.#record = record
    this.#failed = failed
  }

  push(draft: EntryDraft): void {
    if (this.#held.length === 0) return this.#record(draft)
    this.#held.push({ make: () => draft, isReady: true, giveUp: () => undefined, timer: undefined })
    if (this.#held.length > MOST_HELD) this.releaseAll()
  }

  /**
   * Keeps the place of a draft, which is made once `ready` has resolved, or when it has waited long enough: `giveUp` is
   * called then, and it is made of what there is.
   */
  hold(make: () => EntryDraft, ready: Promise<void>, giveUp: () => void): void {
    const held: Held = { make, isReady: false, giveUp, timer: undefined }
    held.timer = setTimeout(() => this.#settle(held), HOLDING_MS)
    this.#held.push(held)
    void ready.then(() => this.#settle(held))
    if (this.#held.length > MOST_HELD) this.releaseAll()
  }

  /** Resolves when nothing of what is held now is held any more. */
  settled(): Promise<void> {
    if (this.#held.length === 0) return Promise.resolve()
    this.#drained ??= Promise.withResolvers()
    return this.#drained.promise
  }

  /** Nothing waits any longer. */
  releaseAll(): void {
    for (const held of this.#held) this.#end(held)
    this.#drain()
  }

  #settle(held: Held): void {
    if (held.isReady) return
    this.#end(held)
    this.#drain()
  }

  #end(held: Held): void {
    if (held.isReady) return
    held.isReady = true
    clearTimeout(held.timer)
    held.giveUp()
  }

  #drain(): void {
    while (this.#held[0]?.isReady) {
      const { make } = this.#held.shift()!
      try {
        this.#record(make())
      } catch (error) {
        this.#failed(error)
      }
    }
    if (this.#held.length > 0) return
    this.#drained?.resolve()
    this.#drained = null
  }
}
