import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { owned, unowned } from '../../fault-owner.ts'
import type { ApiKeyRecord } from '../../ports/api-key.ts'
import type { Store } from '../../ports/store.ts'

export interface KeyWatchTimes {
  /** All keys in use are looked up this often, together. */
  pollMs: number
  /** How old a look-up may be for a new request to rely on it. */
  freshMs: number
  /** A key without anything open is looked up no more this long after it was used. */
  idleMs: number
  /** How long things stay open while the store cannot tell whether their keys are valid. */
  unknownMs: number
}

/**
 * A key that another server or the command line revoked ends within 5 s with everything that it opened: 2 s for the next
 * look-up, 1 s for a client to agree to its connection's closing, and the rest for the store to answer.
 */
const KEY_WATCH_TIMES: KeyWatchTimes = { pollMs: 2_000, freshMs: 4_000, idleMs: 10_000, unknownMs: 300_000 }

const MAX_KNOWN = 10_000
/** Keys in one statement. */
const POLL_STEP = 500

interface Known {
  readonly id: string
  /** As it was found last. */
  record: ApiKeyRecord | null
  /** When the look-up was sent that found it valid, by performance.now(). */
  confirmedAt: number
  usedAt: number
  /** Revoked, expired or deleted. For good: no key comes back. */
  ended: boolean
  looking: Promise<void> | null
  readonly listeners: Set<() => void>
}

/**
 * Knows which API keys are still valid, without a query per request: keys in use are looked up together every other
 * second, which finds those that another process revoked; a key that was not in use costs one look-up.
 */
export class KeyWatch {
  readonly #store: Pick<Store, 'findApiKeys'>
  readonly #logger: Logger
  readonly #times: KeyWatchTimes
  readonly #recent = new LRUCache<string, Known>({ max: MAX_KNOWN })
  /** Those that have listeners, which must not be forgotten. */
  readonly #watched = new Map<string, Known>()
  #timer: NodeJS.Timeout | null = null
  #isPolling = false
  /** Since when the keys could not be looked up. */
  #unknownSince: number | null = null

  constructor(store: Pick<Store, 'findApiKeys'>, logger: Logger, times: Partial<KeyWatchTimes> = {}) {
    this.#store = store
    this.#logger = logger
    this.#times = { ...KEY_WATCH_TIMES, ...times }
  }

  /** The key, if it is valid and was looked up a moment ago; null: it is not, or nothing is known. */
  fresh(id: string): ApiKeyRecord | null {
    const known = this.#find(id)
    if (!known) return null
    this.#use(known)
    const isFresh = performance.now() - known.confirmedAt < this.#times.freshMs
    return known.record && isFresh && !known.ended && isValid(known.record) ? known.record : null
  }

  /** Whether the key is valid. Throws StoreUnavailable when that is not known and cannot be looked up. */
  async isValid(id: string): Promise<boolean> {
    if (this.fresh(id)) return true
    const known = this.#knownOf(id)
    if (!known.ended) await (known.looking ??= this.#look([known]).finally(() => (known.looking = null)))
    return !known.ended
  }

  /**
   * Notes what the store said when it was asked at a time of performance.now(). False: the key is not valid, as the
   * record says or because it was revoked meanwhile.
   */
  confirm(record: ApiKeyRecord, askedAt: number): boolean {
    const known = this.#knownOf(record.id)
    this.#note(known, record, askedAt)
    return !known.ended
  }

  /** Ends the key, whatever a look-up says that is under way. */
  revoked(id: string): void {
    this.#end(this.#knownOf(id))
  }

  /**
   * Calls back once when the key is no longer valid, soon if it is not now; also when that has been unknown for too long.
   * Returns how to stop watching.
   */
  onInvalid(id: string, listener: () => void): () => void {
    const known = this.#knownOf(id)
    if (known.ended) {
      const soon = setImmediate(this.#owned(listener))
      return () => clearImmediate(soon)
    }
    // The same function may be given twice, and each of them can be taken back.
    const own = this.#owned(listener)
    known.listeners.add(own)
    this.#watched.set(id, known)
    return () => {
      known.listeners.delete(own)
      if (known.listeners.size === 0) this.#watched.delete(id)
    }
  }

  /** Frees the timer; nobody is told of a key that another process revokes any more. */
  close(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
  }

  #find(id: string): Known | undefined {
    return this.#watched.get(id) ?? this.#recent.get(id)
  }

  #knownOf(id: string): Known {
    const found = this.#find(id)
    const known: Known = found ?? {
      id,
      record: null,
      confirmedAt: Number.NEGATIVE_INFINITY,
      usedAt: 0,
      ended: false,
      looking: null,
      listeners: new Set(),
    }
    if (!found) this.#recent.set(id, known)
    this.#use(known)
    return known
  }

  #use(known: Known): void {
    known.usedAt = performance.now()
    if (!known.ended) this.#timer ??= unowned(() => setInterval(() => void this.#poll(), this.#times.pollMs).unref())
  }

  async #poll(): Promise<void> {
    const now = performance.now()
    const { idleMs, unknownMs } = this.#times
    if (this.#unknownSince !== null && now - this.#unknownSince >= unknownMs) this.#giveUp()
    if (this.#isPolling) return
    const isUsed = ({ ended, usedAt }: Known) => !ended && now - usedAt < idleMs
    const due = [...new Set([...this.#watched.values(), ...[...this.#recent.values()].filter(isUsed)])]
    if (due.length === 0) {
      this.#unknownSince = null
      return this.close()
    }
    this.#isPolling = true
    this.#unknownSince ??= now
    try {
      for (let at = 0; at < due.length; at += POLL_STEP) await this.#look(due.slice(at, at + POLL_STEP))
      this.#unknownSince = null
    } catch (error) {
      this.#logger.warn({ err: error }, 'the API keys in use could not be checked; they will be checked again')
    } finally {
      this.#isPolling = false
    }
    // A slow answer must not double the time until the next one.
    if (this.#timer && performance.now() - now > this.#times.pollMs && this.#unknownSince === null) void this.#poll()
  }

  async #look(keys: readonly Known[]): Promise<void> {
    const askedAt = performance.now()
    const records = new Map((await this.#store.findApiKeys(keys.map(({ id }) => id))).map((one) => [one.id, one]))
    for (const known of keys) this.#note(known, records.get(known.id) ?? null, askedAt)
  }

  #note(known: Known, record: ApiKeyRecord | null, askedAt: number): void {
    if (!record || !isValid(record)) return this.#end(known)
    if (known.ended || askedAt < known.confirmedAt) return
    known.record = record
    known.confirmedAt = askedAt
  }

  #end(known: Known): void {
    known.ended = true
    known.record = null
    this.#tell(known)
  }

  #giveUp(): void {
    if (this.#watched.size === 0) return
    const seconds = this.#times.unknownMs / 1000
    this.#logger.error(
      `API keys could not be checked for ${seconds} s: the connections and transfers that they opened are closed`,
    )
    for (const known of this.#watched.values()) this.#tell(known)
  }

  #tell(known: Known): void {
    const listeners = [...known.listeners]
    known.listeners.clear()
    this.#watched.delete(known.id)
    for (const listener of listeners) listener()
  }

  #owned(listener: () => void): () => void {
    return owned(listener, (error) =>
      this.#logger.error({ err: error }, 'what an invalid API key had opened could not be closed'),
    )
  }
}

export function isValid(record: ApiKeyRecord): boolean {
  return record.revokedAt === null && (record.expiresAt === null || record.expiresAt > Date.now())
}
