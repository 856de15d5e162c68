import type { EntryDraft } from '../../../../ports/log/log-entry.ts'

/** How long an entry, and all later ones, wait for its missing parts. */
const HOLDING_MS = 500
/** Most entries that wait behind one. */
const MAX_HELD = 500

interface Held {
  make: () => EntryDraft
  isReady: boolean
  /** Ends the wait. */
  giveUp: () => void
  timer: NodeJS.Timeout | undefined
}

/** Keeps drafts in the order of their events, although some are completed later. */
export class DraftQueue {
  readonly #record: (draft: EntryDraft) => void
  readonly #failed: (error: unknown) => void
  #held: Held[] = []
  #drained: PromiseWithResolvers<void> | null = null

  /** `failed` receives errors thrown while a held draft is created or recorded. */
  constructor(record: (draft: EntryDraft) => void, failed: (error: unknown) => void) {
    this.#record = record
    this.#failed = failed
  }

  push(draft: EntryDraft): void {
    if (this.#held.length === 0) return this.#record(draft)
    this.#held.push({ make: () => draft, isReady: true, giveUp: () => undefined, timer: undefined })
    if (this.#held.length > MAX_HELD) this.releaseAll()
  }

  /**
   * Reserves the place of a draft, which is created once `ready` has resolved or the wait has timed out; on a timeout,
   * `giveUp` is called, and the draft is created from what is available.
   */
  hold(make: () => EntryDraft, ready: Promise<void>, giveUp: () => void): void {
    const held: Held = { make, isReady: false, giveUp, timer: undefined }
    held.timer = setTimeout(() => this.#settle(held), HOLDING_MS)
    this.#held.push(held)
    void ready.then(() => this.#settle(held))
    if (this.#held.length > MAX_HELD) this.releaseAll()
  }

  /** Resolves when all drafts that are held now were recorded. */
  settled(): Promise<void> {
    if (this.#held.length === 0) return Promise.resolve()
    this.#drained ??= Promise.withResolvers()
    return this.#drained.promise
  }

  /** Records all held drafts at once. */
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
