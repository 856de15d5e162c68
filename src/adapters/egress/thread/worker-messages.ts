import type { ConnectionOutcome, EgressPolicy, WebSocketEnd } from '../../../ports/egress/egress.ts'
import type { EgressLimits } from '../proxy/egress-context.ts'

export interface EgressWorkerData {
  limits: EgressLimits
  /** Null: the system's. */
  dnsServers: readonly string[] | null
  hostsPath: string
  resolvConfPath: string
  /** Addresses and CIDR blocks. Null: those of the machine's interfaces. */
  ownAddresses: readonly string[] | null
  upstreamCa: string | undefined
}

export type ToWorker =
  /** 0 picks a free port; otherwise the port that an earlier worker used. */
  | { kind: 'open'; id: number; port: number }
  | { kind: 'assign'; id: number; assignment: number; policy: EgressPolicy }
  | { kind: 'close'; id: number }
  | { kind: 'ping' }
  /** Everything that the worker sent before the question with this number has been handled. */
  | { kind: 'handled'; number: number }

export type FromWorker =
  | { kind: 'opened'; id: number; port: number }
  | { kind: 'notOpened'; id: number; reason: string }
  | { kind: 'assigned'; id: number; assignment: number }
  | { kind: 'closed'; id: number }
  | { kind: 'outcome'; id: number; assignment: number; outcome: ConnectionOutcome; unreported: number }
  | { kind: 'socketEnd'; id: number; assignment: number; end: WebSocketEnd }
  | { kind: 'pong' }
  | { kind: 'handled?'; number: number }

/** Messages to the server, except questions that the thread object handles itself. */
export type WorkerReport = Exclude<FromWorker, { kind: 'handled?' }>
