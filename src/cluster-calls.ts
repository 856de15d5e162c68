import { Readable } from 'node:stream'
import type { Config } from './config.ts'
import type { Artifacts } from './domain/artifacts/artifacts.ts'
import type { MemoryBudget } from './domain/kernel/memory-budget.ts'
import type { SharedMachines } from './domain/machines/shared-machines.ts'
import { ClusteredSessionDirectory, type LocalDirectory } from './domain/remote/clustered-session-directory.ts'
import { AnsweringHandshakes } from './domain/remote/machine-handshakes.ts'
import { MachineSecret } from './domain/remote/machine-secret.ts'
import { RemoteCalls } from './domain/remote/remote-calls.ts'
import { RemoteSessions } from './domain/remote/remote-sessions.ts'
import { ServedCalls } from './domain/remote/served-calls.ts'
import type { SessionDirectory } from './domain/sessions/session-directory.ts'
import type { Logger } from './logger.ts'
import type { Bus } from './ports/machines/bus.ts'
import type { MachineDialer, Messenger } from './ports/machines/machine-link.ts'
import type { Store } from './ports/store/store.ts'
import { MachineConnections } from './server/machine-connections.ts'

/** The part of a server that is one of several: loaded only where it is. */
export interface ClusterCalls {
  /** All sessions, wherever they are. */
  readonly sessions: SessionDirectory
  readonly connections: MachineConnections
  close(): void
}

export interface ClusterCallsOptions {
  config: NonNullable<Config['cluster']>
  local: LocalDirectory
  machines: SharedMachines
  machineId: string
  messenger: Messenger
  dialer: MachineDialer
  store: Store
  bus: Bus
  artifacts: Artifacts
  clientMemory: MemoryBudget
  logger: Logger
}

/** From now on this machine serves calls of others, and calls them. */
export function openClusterCalls(options: ClusterCallsOptions): ClusterCalls {
  const { config, local, machines, machineId, messenger, dialer, store, bus, artifacts, clientMemory, logger } = options
  const secret = new MachineSecret(config.machineKeys)
  const calls = new RemoteCalls(messenger, secret)
  const served = new ServedCalls(local, messenger, secret, logger, clientMemory)
  machines.onEpoch((epoch) => served.serve({ machineId, epoch }))
  const remote = new RemoteSessions({
    calls,
    dialer,
    secret,
    store,
    findUrl: (to) => machines.findAddress(to.machineId, to.epoch),
    saveUpload: ({ id: sessionId, owner }, file, content, signal) => {
      const bytes = content instanceof Readable ? content : Readable.from(content, { objectMode: false })
      return artifacts.save({ ...file, sessionId, owner, kind: 'UPLOAD', pageId: null }, bytes, signal)
    },
  })
  return {
    sessions: new ClusteredSessionDirectory({ local, remote, store, bus, machineId, logger }),
    connections: new MachineConnections(served, new AnsweringHandshakes(secret), logger),
    close: () => {
      served.close()
      calls.close()
    },
  }
}
