import { readFile } from 'node:fs/promises'
import { formatAddress, parseAddress } from '../../../egress/network-address.ts'

/** Maximum age of the cached contents. */
const FRESH_MS = 5_000
/** Far larger than any such file. */
const MAX_BYTES = 1024 * 1024

/** A small system file, re-read when stale. An unreadable file counts as empty. */
class SystemFile<T> {
  readonly #path: string
  readonly #parse: (text: string) => T
  #readAt = Number.NEGATIVE_INFINITY
  #content: Promise<T> | null = null

  constructor(path: string, parse: (text: string) => T) {
    this.#path = path
    this.#parse = parse
  }

  read(): Promise<T> {
    const now = performance.now()
    if (!this.#content || now - this.#readAt > FRESH_MS) {
      this.#readAt = now
      this.#content = readFile(this.#path, 'utf8').then(
        (text) => this.#parse(text.slice(0, MAX_BYTES)),
        () => this.#parse(''),
      )
    }
    return this.#content
  }
}

/** Addresses by name, from /etc/hosts. */
export function hostsFile(path: string): SystemFile<ReadonlyMap<string, readonly string[]>> {
  return new SystemFile(path, (text) => {
    const addresses = new Map<string, string[]>()
    for (const line of text.split('\n')) {
      const [first = '', ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/)
      const address = parseAddress(first)
      if (!address) continue
      for (const name of names) addresses.set(name, [...(addresses.get(name) ?? []), formatAddress(address)])
    }
    return addresses
  })
}

export interface Search {
  domains: readonly string[]
  /** Names with fewer dots are tried with the search domains first (ndots). */
  dots: number
  /** The name servers; they change with the network. */
  servers: string
}

/** Search options of /etc/resolv.conf. */
export function searchFile(path: string): SystemFile<Search> {
  return new SystemFile(path, (text) => {
    let [domains, dots]: [string[], number] = [[], 1]
    const servers: string[] = []
    for (const line of text.split('\n')) {
      const [keyword, ...words] = line.trim().split(/\s+/)
      if (keyword === 'search' || keyword === 'domain') {
        domains = words
          .map((domain) => domain.toLowerCase().replace(/^\.+|\.+$/g, ''))
          .filter((domain) => domain !== '')
      }
      if (keyword === 'nameserver') servers.push(...words)
      if (keyword === 'options') dots = Number(/\bndots:(\d{1,2})\b/.exec(words.join(' '))?.[1] ?? dots)
    }
    return { domains: domains.slice(0, 6), dots, servers: servers.join(' ') }
  })
}
