import type { MessageId } from '../../ports/machines/machine-link.ts'

/** How long, and how much in all: a caller that lost its connection asks again within seconds. */
const KEEP_MS = 30_000
const MAX_BYTES = 64 * 1024 * 1024

interface Kept {
  bytes: Uint8Array
  until: number
}

/** The latest replies of this machine, for callers that ask again and for results that are fetched. Oldest first. */
export class KeptReplies {
  readonly #kept = new Map<string, Kept>()
  #bytes = 0
  #sweep: NodeJS.Timeout | null = null

  /** False: it is too large. */
  save(id: MessageId, bytes: Uint8Array): boolean {
    if (bytes.byteLength > MAX_BYTES) return false
    this.#kept.set(keyOf(id), { bytes, until: performance.now() + KEEP_MS })
    this.#bytes += bytes.byteLength
    for (const key of this.#kept.keys()) {
      if (this.#bytes <= MAX_BYTES) break
      this.#delete(key)
    }
    this.#sweep ??= setInterval(() => this.#deleteOld(), KEEP_MS / 4).unref()
    return true
  }

  find(id: MessageId): Uint8Array | null {
    return this.#kept.get(keyOf(id))?.bytes ?? null
  }

  /** It is not asked for again. */
  forget(id: MessageId): void {
    this.#delete(keyOf(id))
  }

  close(): void {
    if (this.#sweep) clearInterval(this.#sweep)
    this.#sweep = null
    this.#kept.clear()
    this.#bytes = 0
  }

  #deleteOld(): void {
    const now = performance.now()
    for (const [key, { until }] of this.#kept) {
      if (until > now) break
      this.#delete(key)
    }
    if (this.#kept.size === 0) this.close()
  }

  #delete(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes.byteLength ?? 0
    this.#kept.delete(key)
  }
}

const keyOf = ({ sender, number }: MessageId) => `${sender} ${number}`
