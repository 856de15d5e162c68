/** What the pages of a session may reach: everything, the public internet, or nothing beside what is allowed by name. */
export type EgressMode = 'OPEN' | 'PUBLIC' | 'NONE'

/**
 * A host name, `*.` before one for every name below it, an address or a CIDR block; each with an optional `:port`.
 * In the normal form that `readHostRule` gives it.
 */
export type HostRule = string

/** The proxy of a user, behind ours. The URL may hold credentials: it is never logged and never stored in plain text. */
export interface UpstreamProxy {
  /** http:, https: or socks5:. */
  url: string
}

export interface EgressPolicy {
  mode: EgressMode
  /** Hosts that are reached whatever the mode is, but for cloud metadata and link-local addresses. */
  allow: readonly HostRule[]
  /** Where given, nothing else is reached. It gives no leave: a private address still needs that of the mode. */
  allowedHosts: readonly HostRule[] | null
  upstream: UpstreamProxy | null
}

export type ConnectionFailureCode =
  | 'BLOCKED'
  | 'NAME_NOT_RESOLVED'
  | 'REFUSED'
  | 'TIMED_OUT'
  | 'UNREACHABLE'
  | 'RESET'
  | 'UPSTREAM_FAILED'

export interface ConnectionFailure {
  code: ConnectionFailureCode
  /** What Chromium would have said without a proxy: "net::ERR_CONNECTION_REFUSED". */
  netError: string
  /** The rule that blocked it: "private address", "cloud metadata". Null for every other code. */
  rule: string | null
}

/** One connection that a page wanted, told when it is established or has failed. */
export interface ConnectionOutcome {
  /** As the page named it, in lower case, without brackets and without a dot at its end. */
  host: string
  port: number
  /** Milliseconds since 1970, as are all instants. */
  startedAt: number
  endedAt: number
  /** Null where no name was resolved. */
  dnsMs: number | null
  /** Null where no connection was tried. */
  connectMs: number | null
  /** The address that was connected to. Null if none was, and behind an upstream, which does not tell. */
  peer: { address: string; port: number } | null
  failure: ConnectionFailure | null
}

/** The way of one browser to the network. It lets nothing through before a policy is assigned. */
export interface EgressProxy {
  /** Where it listens on 127.0.0.1, as a SOCKS5 server without authentication. */
  readonly port: number
  /** How many outcomes were not told since the policy was assigned, for there were too many of them. */
  readonly unreportedCount: number
  /** Resolves once the policy is in force. Connections that another policy let through are closed. */
  assign(policy: EgressPolicy, report: (outcome: ConnectionOutcome) => void): Promise<void>
  /** Closes its connections and its port. */
  close(): Promise<void>
}

export interface EgressProxies {
  open(): Promise<EgressProxy>
  close(): Promise<void>
}
