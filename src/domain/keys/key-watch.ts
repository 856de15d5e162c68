import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { owned, unowned } from '../../fault-owner.ts'
import type { ApiKeyRecord } from '../../ports/access/api-key.ts'
import type { Store } from '../../ports/store/store.ts'

export interface KeyWatchTimes {
  /** Interval at which all keys in use are looked up, together. */
  pollMs: number
  /** Max age of a lookup for a new request to rely on it. */
  freshMs: number
  /** A key without anything open is no longer looked up this long after its last use. */
  idleMs: number
  /** How long connections stay open while the store cannot confirm that their keys are valid. */
  unknownMs: number
}

/**
 * A key revoked by another server or the command line ends within 5 s, with everything opened with it: 2 s for the next
 * lookup, 1 s for a client to acknowledge the close of its connection, and the rest for the store to respond.
 */
const KEY_WATCH_TIMES: KeyWatchTimes = { pollMs: 2_000, freshMs: 4_000, idleMs: 10_000, unknownMs: 300_000 }

const MAX_KNOWN = 10_000
/** Keys per statement. */
const POLL_STEP = 500

interface Known {
  readonly id: string
  /** As of the latest lookup. */
  record: ApiKeyRecord | null
  /** When the lookup that found it valid was sent, by performance.now(). */
  confirmedAt: number
  usedAt: number
  /** Revoked, expired or deleted. Permanent: no key becomes valid again. */
  ended: boolean
  looking: Promise<void> | null
  readonly listeners: Set<() => void>
}

/**
 * Tracks which API keys are still valid, without a query per request: keys in use are looked up together every other
 * second, which detects revocations by other processes; a key that was not in use costs one lookup.
 */
export class KeyWatch {
  readonly #store: Pick<Store, 'findApiKeys'>
  readonly #logger: Logger
  readonly #times: KeyWatchTimes
  readonly #recent = new LRUCache<string, Known>({ max: MAX_KNOWN })
  /** Keys with listeners, which must not be forgotten. */
  readonly #watched = new Map<string, Known>()
  #timer: NodeJS.Timeout | null = null
  #isPolling = false
  /** Since when lookups have failed. */
  #unknownSince: number | null = null

  constructor(store: Pick<Store, 'findApiKeys'>, logger: Logger, times: Partial<KeyWatchTimes> = {}) {
    this.#store = store
    this.#logger = logger
    this.#times = { ...KEY_WATCH_TIMES, ...times }
  }

  /** The key, if it is valid according to a recent lookup; null: it is not, or its state is unknown. */
  fresh(id: string): ApiKeyRecord | null {
    const known = this.#find(id)
    if (!known) return null
    this.#use(known)
    const isFresh = performance.now() - known.confirmedAt < this.#times.freshMs
    return known.record && isFresh && !known.ended && isValid(known.record) ? known.record : null
  }

  /** Whether the key is valid. Throws StoreUnavailable if that is unknown and cannot be looked up. */
  async isValid(id: string): Promise<boolean> {
    if (this.fresh(id)) return true
    const known = this.#knownOf(id)
    if (!known.ended) await (known.looking ??= this.#look([known]).finally(() => (known.looking = null)))
    return !known.ended
  }

  /**
   * Records the store's response to a lookup that was sent at a time of performance.now(). False: the key is invalid,
   * according to the record or because it was revoked meanwhile.
   */
  confirm(record: ApiKeyRecord, askedAt: number): boolean {
    const known = this.#knownOf(record.id)
    this.#note(known, record, askedAt)
    return !known.ended
  }

  /** Invalidates the key, regardless of pending lookups. */
  revoked(id: string): void {
    this.#end(this.#knownOf(id))
  }

  /**
   * Calls back once when the key is no longer valid, soon if it already is not; also when its validity has been unknown
   * for too long. Returns a function that stops watching.
   */
  onInvalid(id: string, listener: () => void): () => void {
    const known = this.#knownOf(id)
    if (known.ended) {
      const soon = setImmediate(this.#owned(listener))
      return () => clearImmediate(soon)
    }
    // The same function may be added twice, and each one removed separately.
    const own = this.#owned(listener)
    known.listeners.add(own)
    this.#watched.set(id, known)
    return () => {
      known.listeners.delete(own)
      if (known.listeners.size === 0) this.#watched.delete(id)
    }
  }

  /** Stops the timer; revocations by other processes are no longer reported. */
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
    // A slow response must not double the time until the next one.
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
    this.#notify(known)
  }

  #giveUp(): void {
    if (this.#watched.size === 0) return
    const seconds = this.#times.unknownMs / 1000
    this.#logger.error(
      `API keys could not be checked for ${seconds} s: the connections and transfers that they opened are closed`,
    )
    for (const known of this.#watched.values()) this.#notify(known)
  }

  #notify(known: Known): void {
    const listeners = [...known.listeners]
    known.listeners.clear()
    this.#watched.delete(known.id)
    for (const listener of listeners) listener()
  }

  #owned(listener: () => void): () => void {
    return owned(listener, (error) =>
      this.#logger.error({ err: error }, 'connections of an invalid API key could not be closed'),
    )
  }
}

export function isValid(record: ApiKeyRecord): boolean {
  return record.revokedAt === null && (record.expiresAt === null || record.expiresAt > Date.now())
}
