import type { EgressMode, EgressPolicy } from '../ports/egress/egress.ts'
import { HostRules } from './host-rule.ts'
import { OwnAddresses } from './own-addresses.ts'
import {
  forbiddenRule,
  isMetadataName,
  nonPublicRule,
  parseHost,
  type ForbiddenRule,
  type NetworkAddress,
  type NonPublicRule,
} from './network-address.ts'

const OF_MACHINE = new OwnAddresses()

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'ws:': 80, 'https:': 443, 'wss:': 443 }

/** The rule that blocks a host name or an address, in any notation, in every mode; null: none. */
export function neverOpened(host: string): ForbiddenRule | null {
  // Resolvers accept several trailing dots as one.
  const read = parseHost(host.replace(/\.+$/, ''))
  if (!read) return null
  if (read.kind === 'address') return forbiddenRule(read.address)
  return isMetadataName(read.name) ? 'cloud metadata' : null
}

/**
 * The rule of a policy that blocks the host of a URL, as far as the URL alone shows: the addresses of a name are
 * checked when connecting. Null: none.
 */
export function refusingRule(
  url: URL,
  { mode, allow, allowedHosts }: EgressPolicy,
  own: OwnAddresses = OF_MACHINE,
): string | null {
  const never = neverOpened(url.hostname)
  if (never !== null) return never
  const host = parseHost(url.hostname)
  if (host?.kind !== 'address') return null
  const port = url.port === '' ? (DEFAULT_PORTS[url.protocol] ?? 0) : Number(url.port)
  const isAmong = (rules: readonly string[]) => new HostRules(rules).coversAddress(host.address, port)
  if (allowedHosts && !isAmong(allowedHosts)) return 'allowedHosts'
  if (mode === 'OPEN' || isAmong(allow)) return null
  return mode === 'NONE' ? 'none' : publicRule(host.address, own)
}

/** The rule of PUBLIC that blocks an address; null: none. */
export function publicRule(address: NetworkAddress, own: OwnAddresses): NonPublicRule | 'own address' | null {
  return nonPublicRule(address) ?? (own.includes(address) ? 'own address' : null)
}

/** Why a rule blocks an address, as a phrase: "http://… is …". */
export function refusalBy(rule: string, mode: EgressMode): string {
  const settings = `egress is ${mode}: TABWIRE_EGRESS and TABWIRE_EGRESS_ALLOW decide which hosts are opened`
  switch (rule) {
    case 'cloud metadata':
      return 'is the address of a cloud metadata service, which is never opened'
    case 'link-local address':
      return 'is a link-local address, which is never opened'
    case 'allowedHosts':
      return "is not among the session's allowedHosts"
    case 'none':
      return `is not among the allowed hosts (${settings})`
    case 'own address':
      return `is an address of the server's own machine (${settings})`
    default:
      return `is a ${rule} (${settings})`
  }
}
