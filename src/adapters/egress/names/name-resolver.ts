import { Resolver } from 'node:dns/promises'
import { LRUCache } from 'lru-cache'
import { formatAddress, parseAddress } from '../../../egress/network-address.ts'
import { Deadline } from '../../../async/deadline.ts'
import { notResolved } from './connection-failed.ts'
import { hostsFile, searchFile } from './resolver-files.ts'

export interface NameResolverOptions {
  /** Null: the system's. */
  servers: readonly string[] | null
  hostsPath: string
  resolvConfPath: string
  /** Time limit of one lookup. */
  limitMs: number
}

/** Upper bound of the TTL. */
const LONGEST_CACHED_MS = 60_000
const MAX_CACHED = 1_000
/** Once one address family is resolved, the other has this long. */
const OTHER_FAMILY_MS = 300

interface Found {
  addresses: string[]
  ttlMs: number
}

/**
 * Resolves names like the system: /etc/hosts, DNS, search domains. It uses c-ares, because getaddrinfo runs in the
 * thread pool of the whole process, two lookups at a time: a page with names whose servers do not respond would block
 * all others.
 */
export class NameResolver {
  readonly #fixedServers: readonly string[] | null
  #resolver: Resolver
  #servers: string | null = null
  readonly #hosts: ReturnType<typeof hostsFile>
  readonly #search: ReturnType<typeof searchFile>
  readonly #limitMs: number

  constructor(options: NameResolverOptions) {
    this.#fixedServers = options.servers
    this.#resolver = this.#openResolver()
    this.#hosts = hostsFile(options.hostsPath)
    this.#search = searchFile(options.resolvConfPath)
    this.#limitMs = options.limitMs
  }

  /** Rejects with a ConnectionFailed. `isComplete`: the name had a trailing dot, so search domains are skipped. */
  async look(name: string, isComplete: boolean): Promise<Found> {
    // Never resolved by DNS (RFC 6761).
    if (name === 'localhost' || name.endsWith('.localhost')) return { addresses: ['127.0.0.1', '::1'], ttlMs: 0 }
    const known = (await this.#hosts.read()).get(name)
    if (known) return { addresses: [...known], ttlMs: 0 }
    using deadline = new Deadline(this.#limitMs, [], notResolved)
    return await deadline.race(this.#ask(name, isComplete))
  }

  /** A Resolver reads the system's servers only when it is created. */
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

  async #ask(name: string, isComplete: boolean): Promise<Found> {
    for (const candidate of await this.#candidates(name, isComplete)) {
      const found = await this.#query(candidate)
      if (found) return found
    }
    throw notResolved()
  }

  /** Null if the name does not exist or has no address. */
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
    // A server failure must not fall through to the next candidate.
    if (isSilent) throw notResolved()
    return null
  }
}

function isAbsent(error: unknown): boolean {
  return ['ENOTFOUND', 'ENODATA'].includes(String((error as { code?: unknown }).code))
}

/** All results, or those available shortly after the first success; undefined: pending. */
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
 * DNS cache of one browser: not shared, so that no page can probe what others looked up. Every connection is checked
 * against the addresses that it gets from here.
 */
export class NameCache {
  readonly #names: NameResolver
  readonly #cache = new LRUCache<string, readonly string[]>({ max: MAX_CACHED, ttl: LONGEST_CACHED_MS })
  readonly #pending = new Map<string, Promise<readonly string[]>>()

  constructor(names: NameResolver) {
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
