import type { EntryDraft, LogEntry } from '../../../ports/log/log-entry.ts'

/** Callers that wait for the entry made from certain data to be committed or given up. */
export class AwaitedEntries {
  readonly #waiting = new Map<EntryDraft['data'], (entry: LogEntry | null) => void>()

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** Resolves with the value passed to `settle`. */
  expect(data: EntryDraft['data']): Promise<LogEntry | null> {
    const { promise, resolve } = Promise.withResolvers<LogEntry | null>()
    this.#waiting.set(data, resolve)
    return promise
  }

  /** `entry`: the committed entry; null if it will never be committed. */
  settle({ data }: LogEntry, entry: LogEntry | null): void {
    this.#waiting.get(data)?.(entry)
    this.#waiting.delete(data)
  }

  /** Resolves all of them with null. */
  giveUp(): void {
    for (const resolve of this.#waiting.values()) resolve(null)
    this.#waiting.clear()
  }
}
