import type { ConnectionOutcome, EgressPolicy } from '../../ports/egress.ts'
import type { EgressLimits } from './egress-context.ts'

export interface EgressWorkerData {
  limits: EgressLimits
  /** Null: those of the system. */
  dnsServers: readonly string[] | null
  hostsPath: string
  resolvConfPath: string
  upstreamCa: string | undefined
}

export type ToWorker =
  /** 0 picks a free port; else it is one that an earlier worker had. */
  | { kind: 'open'; id: number; port: number }
  | { kind: 'assign'; id: number; assignment: number; policy: EgressPolicy }
  | { kind: 'close'; id: number }
  | { kind: 'ping' }

export type FromWorker =
  | { kind: 'opened'; id: number; port: number }
  | { kind: 'notOpened'; id: number; reason: string }
  | { kind: 'assigned'; id: number; assignment: number }
  | { kind: 'closed'; id: number }
  | { kind: 'outcome'; id: number; assignment: number; outcome: ConnectionOutcome; unreported: number }
  | { kind: 'pong' }
