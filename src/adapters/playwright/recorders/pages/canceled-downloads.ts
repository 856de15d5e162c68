import type { Cancellation } from './download-limits.ts'

/** Most remembered downloads that were canceled and are gone. */
const MAX_GONE = 1_000

/** Downloads canceled and gone: the browser may still report them, or write a file that it was about to write. */
export class CanceledDownloads {
  readonly #byGuid = new Map<string, Cancellation>()

  add(guid: string, cancellation: Cancellation): void {
    this.#byGuid.set(guid, cancellation)
    const [oldest] = this.#byGuid.keys()
    if (this.#byGuid.size > MAX_GONE && oldest !== undefined) this.#byGuid.delete(oldest)
  }

  /** Why the download was canceled, once; undefined: it was not. */
  take(guid: string): Cancellation | undefined {
    const cancellation = this.#byGuid.get(guid)
    this.#byGuid.delete(guid)
    return cancellation
  }

  clear(): void {
    this.#byGuid.clear()
  }
}
