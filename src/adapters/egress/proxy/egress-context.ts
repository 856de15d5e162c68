import type { OwnAddresses } from '../../../egress/own-addresses.ts'
import type { NameResolver } from '../names/name-resolver.ts'
import type { Delivery } from './delivery.ts'
import type { HttpForward } from './http-forward.ts'

export interface EgressLimits {
  /** Time limit of the SOCKS handshake. */
  handshakeMs: number
  /** Time limit of a DNS lookup. */
  dnsMs: number
  /** Time limit of connecting, DNS included: Chromium gives up on a SOCKS proxy after 30 s. */
  connectMs: number
  /** Delay before the next address is tried in parallel (RFC 8305). */
  staggerMs: number
  /** How long the end of a target's connection is hidden from a browser that has not sent anything yet. */
  endHeldMs: number
  /** Chromium opens up to 256 per pool; clients may create several contexts. */
  connectionsPerBrowser: number
}

export const EGRESS_LIMITS: EgressLimits = {
  handshakeMs: 10_000,
  dnsMs: 10_000,
  connectMs: 25_000,
  staggerMs: 250,
  endHeldMs: 5_000,
  connectionsPerBrowser: 512,
}

/** Shared by the proxies of all browsers. */
export interface EgressContext {
  names: NameResolver
  own: OwnAddresses
  forward: HttpForward
  limits: EgressLimits
  /** Confirms that outcomes have reached the recorders. */
  delivery: Delivery
  /** Certificate authorities of https upstreams; undefined: the defaults. */
  upstreamCa: string | undefined
}
