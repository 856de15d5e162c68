import type { HostNames } from './host-names.ts'
import type { HttpForward } from './http-forward.ts'

export interface EgressLimits {
  /** How long a client may take to say where it wants to go. */
  handshakeMs: number
  /** How long one name may take. */
  dnsMs: number
  /** How long a connection may take, its name included: Chromium gives up on a SOCKS proxy after 30 s. */
  connectMs: number
  /** How long the first address has before the next one is tried beside it (RFC 8305). */
  staggerMs: number
  /** More than Chromium opens at a time, several contexts of clients included. */
  connectionsPerBrowser: number
}

export const EGRESS_LIMITS: EgressLimits = {
  handshakeMs: 10_000,
  dnsMs: 10_000,
  connectMs: 25_000,
  staggerMs: 250,
  connectionsPerBrowser: 512,
}

/** What the proxies of all browsers share. */
export interface EgressContext {
  names: HostNames
  forward: HttpForward
  limits: EgressLimits
  /** Certificate authorities of https upstreams; undefined: the usual ones. */
  upstreamCa: string | undefined
}
