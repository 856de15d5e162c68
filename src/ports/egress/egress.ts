/** What the pages of a session may reach: everything, the public internet, or only what is explicitly allowed. */
export type EgressMode = 'OPEN' | 'PUBLIC' | 'NONE'

/**
 * A host name, `*.` before one for every name below it, an address or a CIDR block; each with an optional `:port`.
 * Normalized by `readHostRule`.
 */
export type HostRule = string

/** A user's proxy behind ours. The URL may contain credentials: it is never logged or stored in plain text. */
export interface UpstreamProxy {
  /** http:, https: or socks5:. */
  url: string
}

export interface EgressPolicy {
  mode: EgressMode
  /** Hosts allowed in every mode, except cloud metadata and link-local addresses. */
  allow: readonly HostRule[]
  /** If set, no other host is reached. It only narrows: a private address must still be allowed by the mode. */
  allowedHosts: readonly HostRule[] | null
  upstream: UpstreamProxy | null
}

type ConnectionFailureCode =
  | 'BLOCKED'
  | 'NAME_NOT_RESOLVED'
  | 'REFUSED'
  | 'TIMED_OUT'
  | 'UNREACHABLE'
  | 'RESET'
  | 'UPSTREAM_FAILED'

export interface ConnectionFailure {
  code: ConnectionFailureCode
  /** The error that Chromium reports without a proxy: "net::ERR_CONNECTION_REFUSED". */
  netError: string
  /** The rule that blocked it: "private address", "cloud metadata". Null for every other code. */
  rule: string | null
}

/** One connection attempt of a page, reported when it is established or has failed. */
export interface ConnectionOutcome {
  /** As in the URL, in lower case, without brackets and trailing dot. */
  host: string
  port: number
  /** Milliseconds since the epoch. */
  startedAt: number
  endedAt: number
  /** Null if no name was resolved. */
  dnsMs: number | null
  /** Null if no connection was attempted. */
  connectMs: number | null
  /** Remote address. Null if the connection failed, and behind an upstream proxy, which does not report it. */
  peer: { address: string; port: number } | null
  failure: ConnectionFailure | null
}

/** How a WebSocket ended, as observed on its connection (unencrypted ones only). */
export interface WebSocketEnd {
  /** `Sec-WebSocket-Key` of its handshake. */
  key: string
  /** The sender of the first close frame. Null: none was sent, and the server's end of the connection is gone. */
  closedBy: 'PAGE' | 'SERVER' | null
  /** As in CloseEvent: 1005 for a close frame without a code, 1006 without a close frame. */
  code: number
  reason: string
}

/** The proxy of one browser. It blocks everything until a policy is assigned. */
export interface EgressProxy {
  /** Port on 127.0.0.1: a SOCKS5 server without authentication. */
  readonly port: number
  /** Number of outcomes since the policy was assigned that exceeded the rate limit and were not reported. */
  readonly unreportedCount: number
  /** Resolves once the policy is in force. Connections opened under an earlier policy are closed. */
  assign(
    policy: EgressPolicy,
    report: (outcome: ConnectionOutcome) => void,
    reportEnd?: (end: WebSocketEnd) => void,
  ): Promise<void>
  /** Closes its connections and its port. */
  close(): Promise<void>
}

export interface EgressProxies {
  open(): Promise<EgressProxy>
  close(): Promise<void>
}
