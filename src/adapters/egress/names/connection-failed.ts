import type { ConnectionFailure } from '../../../ports/egress/egress.ts'

/** A connection attempt that failed or was blocked. */
export class ConnectionFailed extends Error {
  readonly failure: ConnectionFailure

  constructor(failure: ConnectionFailure) {
    super(`${failure.netError}${failure.rule ? ` (${failure.rule})` : ''}`)
    this.name = 'ConnectionFailed'
    this.failure = failure
  }
}

export function blocked(rule: string): ConnectionFailed {
  return new ConnectionFailed({ code: 'BLOCKED', netError: 'net::ERR_BLOCKED_BY_ADMINISTRATOR', rule })
}

function failed(code: Exclude<ConnectionFailure['code'], 'BLOCKED'>, netError: string): ConnectionFailed {
  return new ConnectionFailed({ code, netError, rule: null })
}

export const notResolved = () => failed('NAME_NOT_RESOLVED', 'net::ERR_NAME_NOT_RESOLVED')
export const timedOut = () => failed('TIMED_OUT', 'net::ERR_CONNECTION_TIMED_OUT')
/** The upstream proxy is unreachable. */
export const upstreamUnreachable = () => failed('UPSTREAM_FAILED', 'net::ERR_PROXY_CONNECTION_FAILED')
/** The upstream proxy refused the request or failed to connect. */
export const upstreamRefused = () => failed('UPSTREAM_FAILED', 'net::ERR_TUNNEL_CONNECTION_FAILED')

/** Chromium's mapping of the same system errors. */
const FAILURES: Readonly<Record<string, () => ConnectionFailed>> = {
  ECONNREFUSED: () => failed('REFUSED', 'net::ERR_CONNECTION_REFUSED'),
  ECONNRESET: () => failed('RESET', 'net::ERR_CONNECTION_RESET'),
  EPIPE: () => failed('RESET', 'net::ERR_CONNECTION_RESET'),
  ETIMEDOUT: timedOut,
  EHOSTUNREACH: () => failed('UNREACHABLE', 'net::ERR_ADDRESS_UNREACHABLE'),
  ENETUNREACH: () => failed('UNREACHABLE', 'net::ERR_ADDRESS_UNREACHABLE'),
  EADDRNOTAVAIL: () => failed('UNREACHABLE', 'net::ERR_ADDRESS_INVALID'),
  EACCES: () => failed('UNREACHABLE', 'net::ERR_NETWORK_ACCESS_DENIED'),
  EPERM: () => failed('UNREACHABLE', 'net::ERR_NETWORK_ACCESS_DENIED'),
}

export function connectFailure(error: unknown): ConnectionFailed {
  if (error instanceof ConnectionFailed) return error
  const code = (error as { code?: unknown } | null)?.code
  return (typeof code === 'string' && FAILURES[code]?.()) || failed('UNREACHABLE', 'net::ERR_CONNECTION_FAILED')
}
