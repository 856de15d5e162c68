import { networkInterfaces } from 'node:os'
import { HostRules } from './host-rule.ts'
import type { NetworkAddress } from './network-address.ts'

/** An address may be added while the server runs. */
const KEPT_MS = 2_000

/** The addresses of the server's machine, some of which may be public. */
export class OwnAddresses {
  readonly #read: () => readonly string[]
  #known = new HostRules([])
  #readAt = -Infinity

  /** `read` returns addresses and CIDR blocks. */
  constructor(read: () => readonly string[] = blocksOfInterfaces) {
    this.#read = read
  }

  includes(address: NetworkAddress): boolean {
    const now = performance.now()
    if (now - this.#readAt >= KEPT_MS) {
      this.#known = new HostRules(this.#read())
      this.#readAt = now
    }
    return this.#known.coversAddress(address, 0)
  }
}

/** For a loopback interface the whole block is local; for others only the address. */
function blocksOfInterfaces(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .map(({ internal, cidr, address }) => (internal && cidr ? cidr : address))
}
