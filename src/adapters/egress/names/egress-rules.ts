import type { EgressPolicy } from '../../../ports/egress/egress.ts'
import { publicRule } from '../../../egress/refusal.ts'
import { HostRules } from '../../../egress/host-rule.ts'
import { forbiddenRule, isMetadataName, type NetworkAddress } from '../../../egress/network-address.ts'
import type { OwnAddresses } from '../../../egress/own-addresses.ts'

/** Evaluates a policy. Every result is the name of the blocking rule, or null. */
export class EgressRules {
  readonly #mode: EgressPolicy['mode']
  readonly #allow: HostRules
  readonly #allowedHosts: HostRules | null
  readonly #own: OwnAddresses

  constructor(policy: EgressPolicy, own: OwnAddresses) {
    this.#own = own
    this.#mode = policy.mode
    this.#allow = new HostRules(policy.allow)
    this.#allowedHosts = policy.allowedHosts && new HostRules(policy.allowedHosts)
  }

  /**
   * Evaluated before DNS resolution, since a lookup is traffic, too: blocks names that no address could make
   * permissible.
   */
  blocksName(name: string, port: number): string | null {
    if (isMetadataName(name)) return 'cloud metadata'
    if (this.#allowedHosts && !this.#allowedHosts.hasAddresses && !this.#allowedHosts.coversName(name, port)) {
      return 'allowedHosts'
    }
    const isHopeless = this.#mode === 'NONE' && !this.#allow.hasAddresses && !this.#allow.coversName(name, port)
    return isHopeless ? 'none' : null
  }

  /** Evaluated for each address of a name, and for address literals (name: null). */
  blocksAddress(name: string | null, address: NetworkAddress, port: number): string | null {
    const forbidden = forbiddenRule(address)
    if (forbidden) return forbidden
    if (this.#allowedHosts && !covers(this.#allowedHosts, name, address, port)) return 'allowedHosts'
    return this.#blocksByMode(name, address, port)
  }

  /** An upstream proxy must be allowed by the mode, like any other host; `allowedHosts` does not apply to it. */
  blocksUpstream(name: string | null, address: NetworkAddress, port: number): string | null {
    const rule = forbiddenRule(address) ?? this.#blocksByMode(name, address, port)
    return rule && `proxy: ${rule}`
  }

  /** Whether a name that only the upstream proxy can resolve may be opened. */
  trustsUnresolved(name: string, port: number): boolean {
    if (this.#allowedHosts && !this.#allowedHosts.coversName(name, port)) return false
    return this.#mode === 'OPEN' || this.#allow.coversName(name, port)
  }

  #blocksByMode(name: string | null, address: NetworkAddress, port: number): string | null {
    if (this.#mode === 'OPEN' || covers(this.#allow, name, address, port)) return null
    return this.#mode === 'NONE' ? 'none' : publicRule(address, this.#own)
  }
}

function covers(rules: HostRules, name: string | null, address: NetworkAddress, port: number): boolean {
  return (name !== null && rules.coversName(name, port)) || rules.coversAddress(address, port)
}
