import { Resolver } from 'node:dns/promises'
import { LRUCache } from 'lru-cache'
import { formatAddress, parseAddress } from '../../ports/network-address.ts'
import { notResolved } from './connection-failed.ts'
import { hostsFile, searchFile } from './hosts-file.ts'

export interface HostNamesOptions {
  /** Null: those of the system. */
  servers: readonly string[] | null
  hostsPath: string
  resolvConfPath: string
  /** How long one lookup may take. */
  limitMs: number
}

/** Addresses live as long as the DNS says, but no longer than this. */
const LONGEST_CACHED_MS = 60_000
const MOST_CACHED = 1_000
/** Once one kind of address is known, the other has this long. */
const OTHER_FAMILY_MS = 300

interface Found {
  addresses: string[]
  ttlMs: number
}

/**
 * Resolves names as the system would: /etc/hosts, the DNS, the search domains. The lookups of getaddrinfo would run in
 * the thread pool of the whole process, two at a time: a page that asks for names whose servers are silent would stop
 * those of all others. These are messages of one socket, and end by themselves.
 */
export class HostNames {
  readonly #fixedServers: readonly string[] | null
  #resolver: Resolver
  #servers: string | null = null
  readonly #hosts: ReturnType<typeof hostsFile>
  readonly #search: ReturnType<typeof searchFile>
  readonly #limitMs: number

  constructor(options: HostNamesOptions) {
    this.#fixedServers = options.servers
    this.#resolver = this.#openResolver()
    this.#hosts = hostsFile(options.hostsPath)
    this.#search = searchFile(options.resolvConfPath)
    this.#limitMs = options.limitMs
  }

  /** Rejects with a ConnectionFailed. Complete: the name ended in a dot, so no search domain is tried. */
  async look(name: string, isComplete: boolean): Promise<Found> {
    // Never asked of the DNS, which might say something else (RFC 6761).
    if (name === 'localhost' || name.endsWith('.localhost')) return { addresses: ['127.0.0.1', '::1'], ttlMs: 0 }
    const known = (await this.#hosts.read()).get(name)
    if (known) return { addresses: [...known], ttlMs: 0 }
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(notResolved()), this.#limitMs)
    try {
      return await Promise.race([tooLate, this.#ask(await this.#candidates(name, isComplete))])
    } finally {
      clearTimeout(timer)
    }
  }

  /** It reads the servers of the system once, when it is made. */
  #openResolver(): Resolver {
    const resolver = new Resolver({ timeout: 2_000, tries: 3, maxTimeout: 4_000 })
    if (this.#fixedServers) resolver.setServers(this.#fixedServers)
    return resolver
  }

  async #candidates(name: string, isComplete: boolean): Promise<string[]> {
    const { domains, dots, servers } = await this.#search.read()
    if (this.#servers !== null && this.#servers !== servers) this.#resolver = this.#openResolver()
    this.#servers = servers
    if (isComplete) return [name]
    const longer = domains.map((domain) => `${name}.${domain}`)
    return name.split('.').length > dots ? [name, ...longer] : [...longer, name]
  }

  async #ask(candidates: readonly string[]): Promise<Found> {
    for (const name of candidates) {
      const found = await this.#query(name)
      if (found) return found
    }
    throw notResolved()
  }

  /** Null if there is no such name, or it has no address. */
  async #query(name: string): Promise<Found | null> {
    const families = [this.#resolver.resolve4(name, { ttl: true }), this.#resolver.resolve6(name, { ttl: true })]
    const settled = await enough(families)
    const records = settled.flatMap((one) => (one?.status === 'fulfilled' ? one.value : []))
    const addresses = records
      .map(({ address }) => parseAddress(address))
      .filter((address) => address !== null)
      .map(formatAddress)
    if (addresses.length > 0) {
      const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000), LONGEST_CACHED_MS)
      return { addresses: [...new Set(addresses)], ttlMs }
    }
    const isSilent = settled.some((one) => one?.status === 'rejected' && !isAbsent(one.reason))
    // What the DNS does not answer is not to be found under another name instead.
    if (isSilent) throw notResolved()
    return null
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOTFOUND', 'ENODATA'].includes(String((error as { code?: unknown }).code))
}

/** All of them, or those that have settled a moment after the first success. Undefined: not yet. */
async function enough<T>(promises: readonly Promise<T>[]): Promise<(PromiseSettledResult<T> | undefined)[]> {
  const settled: (PromiseSettledResult<T> | undefined)[] = promises.map(() => undefined)
  const { promise: patient, resolve } = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout | undefined
  const all = Promise.all(
    promises.map(async (promise, index) => {
      try {
        settled[index] = { status: 'fulfilled', value: await promise }
        timer ??= setTimeout(resolve, OTHER_FAMILY_MS)
      } catch (reason) {
        settled[index] = { status: 'rejected', reason }
      }
    }),
  )
  await Promise.race([all, patient])
  clearTimeout(timer)
  return [...settled]
}

/**
 * What one browser has learned of names: a page that opens six connections asks once, and no browser can tell what
 * others have looked up. Every connection is judged by the addresses that it gets from here.
 */
export class KnownNames {
  readonly #names: HostNames
  readonly #cache = new LRUCache<string, readonly string[]>({ max: MOST_CACHED, ttl: LONGEST_CACHED_MS })
  readonly #pending = new Map<string, Promise<readonly string[]>>()

  constructor(names: HostNames) {
    this.#names = names
  }

  /** Rejects with a ConnectionFailed. */
  async addressesOf(name: string, isComplete: boolean): Promise<readonly string[]> {
    const key = isComplete ? `${name}.` : name
    const cached = this.#cache.get(key)
    if (cached) return cached
    let pending = this.#pending.get(key)
    if (!pending) {
      pending = this.#names
        .look(name, isComplete)
        .then(({ addresses, ttlMs }) => {
          if (ttlMs > 0) this.#cache.set(key, addresses, { ttl: ttlMs })
          return addresses
        })
        .finally(() => this.#pending.delete(key))
      this.#pending.set(key, pending)
    }
    return await pending
  }
}
