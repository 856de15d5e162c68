import { LRUCache } from 'lru-cache'
import type { ApiKeyRecord } from '../../ports/access/api-key.ts'
import { Allowance, AllowancesByAddress, type Rate } from '../kernel/allowance.ts'
import { TabwireError } from '../kernel/errors.ts'

export interface KeyLookupLimits {
  /** How long a wrong key is rejected without a query: short, since it may be created on another server meanwhile. */
  rememberWrongMs: number
  /** Max wrong keys, valid keys and addresses remembered, each. */
  remembered: number
  /** Lookups of keys that turn out to be wrong. */
  perAddress: Rate
  inAll: Rate
}

export const KEY_LOOKUP_LIMITS: KeyLookupLimits = {
  rememberWrongMs: 5_000,
  remembered: 10_000,
  perAddress: { burst: 50, perSecond: 5 },
  inAll: { burst: 500, perSecond: 50 },
}

export class TooManyWrongKeys extends TabwireError {
  override readonly code = 'RATE_LIMITED'
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number) {
    super(`Too many invalid API keys were tried. Retry in ${retryAfterSeconds} s.`, { retryAfterSeconds })
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/**
 * Looks up keys in the store such that wrong ones are cheap: a repeated one costs a query every few seconds, and
 * different ones are limited per address. Keys that were valid before are never delayed by wrong ones.
 */
export class KeyLookups {
  readonly #find: (hash: string) => Promise<ApiKeyRecord | null>
  readonly #isValid: (record: ApiKeyRecord) => boolean
  readonly #wrong: LRUCache<string, true>
  readonly #right: LRUCache<string, true>
  readonly #byAddress: AllowancesByAddress
  readonly #inAll: Allowance
  readonly #pending = new Map<string, Promise<ApiKeyRecord | null>>()

  constructor(
    find: (hash: string) => Promise<ApiKeyRecord | null>,
    isValid: (record: ApiKeyRecord) => boolean,
    limits: KeyLookupLimits,
  ) {
    this.#find = find
    this.#isValid = isValid
    const max = limits.remembered
    this.#wrong = new LRUCache({ max, ttl: limits.rememberWrongMs })
    this.#right = new LRUCache({ max })
    this.#byAddress = new AllowancesByAddress(limits.perAddress, max)
    this.#inAll = new Allowance(limits.inAll)
  }

  /**
   * The record of a valid key, otherwise null. Concurrent lookups of the same key share the result. Throws
   * TooManyWrongKeys.
   */
  async find(hash: string, address: string | null): Promise<ApiKeyRecord | null> {
    if (this.#wrong.has(hash)) return null
    const pending = this.#pending.get(hash)
    if (pending) return pending
    const refund = this.#right.has(hash) ? () => {} : this.#spend(address)
    const found = this.#look(hash, refund).finally(() => this.#pending.delete(hash))
    this.#pending.set(hash, found)
    return found
  }

  /** A valid key that has not been used yet. */
  expect(hash: string): void {
    this.#wrong.delete(hash)
    this.#right.set(hash, true)
  }

  async #look(hash: string, refund: () => void): Promise<ApiKeyRecord | null> {
    let record: ApiKeyRecord | null
    try {
      record = await this.#find(hash)
    } catch (error) {
      // An unavailable store does not mean that the key is wrong.
      refund()
      throw error
    }
    if (record && this.#isValid(record)) {
      refund()
      this.#right.set(hash, true)
      return record
    }
    this.#right.delete(hash)
    this.#wrong.set(hash, true)
    return null
  }

  /** Deducts a lookup from the allowances. Returns a function that refunds it. */
  #spend(address: string | null): () => void {
    if (address === null) return () => {}
    const taken: Allowance[] = []
    for (const allowance of [this.#byAddress.of(address), this.#inAll]) {
      if (!allowance.take()) {
        for (const one of taken) one.refund()
        throw new TooManyWrongKeys(allowance.retryAfterSeconds)
      }
      taken.push(allowance)
    }
    return () => taken.forEach((one) => one.refund())
  }
}
