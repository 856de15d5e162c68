import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import proxyAddr from 'proxy-addr'

/** Only this much of X-Forwarded-For is read; the nearest proxies append to its end. */
const MAX_HEADER = 1_000
/** An IPv6 customer has at least a /64 to pick addresses from. */
const IPV6_PREFIX = 64

/**
 * The client that a connection is counted for. X-Forwarded-For is trusted only from the configured proxies: otherwise a
 * client could choose the address that is charged.
 */
export class ClientAddresses {
  readonly #trust: (address: string) => boolean

  constructor(trustedProxies: readonly string[]) {
    const trust = trustedProxies.length > 0 ? proxyAddr.compile([...trustedProxies]) : () => false
    this.#trust = (address) => trust(address, 0)
  }

  isTrustedProxy(peer: string): boolean {
    return this.#trust(peer)
  }

  /** The client's address, or its /64 for IPv6. For an invalid address, that of the proxy that reported it. */
  of(peer: string, headers: IncomingMessage['headers']): string {
    if (!this.isTrustedProxy(peer)) return groupOf(peer)
    const forwarded = String(headers['x-forwarded-for'] ?? '').slice(-MAX_HEADER)
    const request = { headers: { 'x-forwarded-for': forwarded }, socket: { remoteAddress: peer } }
    const hops = proxyAddr.all(request as unknown as IncomingMessage, this.#trust)
    const client = hops.map(withoutPort).findLast((hop) => isIP(hop) !== 0)
    return groupOf(client ?? peer)
  }
}

/** Some proxies write the port too: 192.0.2.1:5000, [2001:db8::1]:5000. */
function withoutPort(hop: string): string {
  return /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? /^\[([\da-f:.]+)\](?::\d+)?$/i.exec(hop)?.[1] ?? hop
}

function groupOf(address: string): string {
  if (isIP(address) === 0) return address
  // The zone of a link-local address is the server's own interface.
  const parsed = ipaddr.process(address.split('%')[0]!)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/${IPV6_PREFIX}`).toString()
}
