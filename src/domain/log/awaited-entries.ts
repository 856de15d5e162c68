import type { EntryDraft, LogEntry } from '../../ports/log-entry.ts'

/** Who waits until the entry that was made of certain data is committed, or never will be. */
export class AwaitedEntries {
  readonly #waiting = new Map<EntryDraft['data'], (entry: LogEntry | null) => void>()

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** Resolves as `settle` says. */
  expect(data: EntryDraft['data']): Promise<LogEntry | null> {
    const { promise, resolve } = Promise.withResolvers<LogEntry | null>()
    this.#waiting.set(data, resolve)
    return promise
  }

  /** `entry`: as it is committed; null: it never will be. */
  settle({ data }: LogEntry, entry: LogEntry | null): void {
    this.#waiting.get(data)?.(entry)
    this.#waiting.delete(data)
  }

  /** None of them will be. */
  giveUp(): void {
    for (const resolve of this.#waiting.values()) resolve(null)
    this.#waiting.clear()
  }
}
