import type { EgressPolicy } from '../../ports/egress.ts'
import { HostRules } from '../../ports/host-rule.ts'
import { forbiddenRule, isMetadataName, nonPublicRule, type NetworkAddress } from '../../ports/network-address.ts'

/** A policy that can be asked. Every answer is the name of the rule that blocks, or null. */
export class EgressRules {
  readonly #mode: EgressPolicy['mode']
  readonly #allow: HostRules
  readonly #allowedHosts: HostRules | null

  constructor(policy: EgressPolicy) {
    this.#mode = policy.mode
    this.#allow = new HostRules(policy.allow)
    this.#allowedHosts = policy.allowedHosts && new HostRules(policy.allowedHosts)
  }

  /**
   * Asked before a name is resolved, for a lookup tells the world something, too: blocked where no address could save
   * the name.
   */
  blocksName(name: string, port: number): string | null {
    if (isMetadataName(name)) return 'cloud metadata'
    if (this.#allowedHosts && !this.#allowedHosts.hasAddresses && !this.#allowedHosts.coversName(name, port)) {
      return 'allowedHosts'
    }
    const isHopeless = this.#mode === 'NONE' && !this.#allow.hasAddresses && !this.#allow.coversName(name, port)
    return isHopeless ? 'none' : null
  }

  /** Asked of each address of a host, and of one that was given as it is (name: null). */
  blocksAddress(name: string | null, address: NetworkAddress, port: number): string | null {
    const forbidden = forbiddenRule(address)
    if (forbidden) return forbidden
    if (this.#allowedHosts && !covers(this.#allowedHosts, name, address, port)) return 'allowedHosts'
    return this.#blocksByMode(name, address, port)
  }

  /** A user's proxy needs the leave of the mode, as any other host; what a session is narrowed to are not its proxies. */
  blocksUpstream(name: string | null, address: NetworkAddress, port: number): string | null {
    const rule = forbiddenRule(address) ?? this.#blocksByMode(name, address, port)
    return rule && `proxy: ${rule}`
  }

  /** Whether a name may be opened that only a proxy further on can resolve. */
  trustsUnresolved(name: string, port: number): boolean {
    if (this.#allowedHosts && !this.#allowedHosts.coversName(name, port)) return false
    return this.#mode === 'OPEN' || this.#allow.coversName(name, port)
  }

  #blocksByMode(name: string | null, address: NetworkAddress, port: number): string | null {
    if (this.#mode === 'OPEN' || covers(this.#allow, name, address, port)) return null
    return this.#mode === 'NONE' ? 'none' : nonPublicRule(address)
  }
}

function covers(rules: HostRules, name: string | null, address: NetworkAddress, port: number): boolean {
  return (name !== null && rules.coversName(name, port)) || rules.coversAddress(address, port)
}
