import { formatAddress, parseAddress, type Host, type NetworkAddress } from '../../ports/network-address.ts'
import { blocked } from './connection-failed.ts'
import type { EgressRules } from './egress-rules.ts'
import type { KnownNames } from './host-names.ts'

/** What one browser may reach, since a policy was assigned to it. */
export interface Assignment {
  rules: EgressRules
  names: KnownNames
}

/**
 * The addresses of a host that may be opened: only they are connected to, so that nothing is resolved again after it was
 * judged. Of a name with several addresses, those that are blocked are left out. Rejects with a ConnectionFailed.
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

/** The same for the proxy of a user. */
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
