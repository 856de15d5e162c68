import { formatAddress, parseAddress, type Host, type NetworkAddress } from '../../../egress/network-address.ts'
import { blocked } from './connection-failed.ts'
import type { EgressRules } from './egress-rules.ts'
import type { NameCache } from './name-resolver.ts'

/** The rules and DNS cache of a browser with an assigned policy. */
export interface Assignment {
  rules: EgressRules
  names: NameCache
}

/**
 * The permitted addresses of a host. Only these are connected to, so nothing is resolved again after the check. Blocked
 * addresses of a name are skipped; if all are blocked, rejects with a ConnectionFailed.
 */
export async function judgedAddresses(
  { rules, names }: Assignment,
  host: Host,
  port: number,
  isComplete: boolean,
): Promise<string[]> {
  if (host.kind === 'address') {
    return permitted([formatAddress(host.address)], (address) => rules.blocksAddress(null, address, port))
  }
  const rule = rules.blocksName(host.name, port)
  if (rule) throw blocked(rule)
  const addresses = await names.addressesOf(host.name, isComplete)
  return permitted(addresses, (address) => rules.blocksAddress(host.name, address, port))
}

/** The same for an upstream proxy. */
export async function judgedUpstream({ rules, names }: Assignment, host: Host, port: number): Promise<string[]> {
  const name = host.kind === 'name' ? host.name : null
  const addresses = host.kind === 'name' ? await names.addressesOf(host.name, false) : [formatAddress(host.address)]
  return permitted(addresses, (address) => rules.blocksUpstream(name, address, port))
}

function permitted(addresses: readonly string[], blockedBy: (address: NetworkAddress) => string | null): string[] {
  const rules: string[] = []
  const left = addresses.filter((text) => {
    const address = parseAddress(text)
    const rule = address ? blockedBy(address) : 'reserved address'
    if (rule !== null) rules.push(rule)
    return rule === null
  })
  if (left.length === 0) throw blocked(rules[0] ?? 'reserved address')
  return left
}
