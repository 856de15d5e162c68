import type { EgressMode, HostRule } from './egress.ts'

/** The policy of a session as it is stored and shown: without secrets. */
export interface SessionEgress {
  mode: EgressMode
  allowedHosts: HostRule[] | null
  /** Scheme, host and port of the user's proxy: http://proxy.example:3128. */
  proxy: string | null
}
