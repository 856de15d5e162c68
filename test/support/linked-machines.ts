import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openNatsBus } from '../../src/adapters/bus/nats-bus.ts'
import { NatsMessenger } from '../../src/adapters/bus/nats-messenger.ts'
import { WebSocketDialer } from '../../src/adapters/machines/web-socket-dialer.ts'
import { AnsweringHandshakes } from '../../src/domain/remote/machine-handshakes.ts'
import { MachineSecret } from '../../src/domain/remote/machine-secret.ts'
import { RemoteCalls, type CallTiming } from '../../src/domain/remote/remote-calls.ts'
import { RemoteSessions, type RemoteSessionsOptions } from '../../src/domain/remote/remote-sessions.ts'
import { ServedCalls, type OwnSessions } from '../../src/domain/remote/served-calls.ts'
import { createLogger } from '../../src/logger.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import type { NatsConfig } from '../../src/config.ts'
import type { MachineAddress, Messenger } from '../../src/ports/machines/machine-link.ts'
import type { SessionRecord } from '../../src/ports/sessions/session-record.ts'
import { ClientAddresses } from '../../src/server/base/client-addresses.ts'
import { CONNECTION_LIMITS, Connections } from '../../src/server/base/connections.ts'
import { MachineConnections } from '../../src/server/machine-connections.ts'
import { natsConfig, type TestNats } from './nats-server.ts'

const silent = createLogger('silent')
/** Connected again soon, and never given up for an answer that a busy machine keeps waiting. */
const NATS_TIMING = { firstPauseMs: 20, lastPauseMs: 50, connectMs: 30_000, pingMs: 600_000 }

/** Two machines, of which one calls the sessions of the other, over real NATS and real sockets. */
export interface LinkedMachines {
  readonly owner: MachineAddress
  readonly served: ServedCalls
  /** Of the owner, where connections are opened. */
  readonly url: string
  readonly messengers: { owner: Messenger; caller: Messenger }
  readonly secret: MachineSecret
  readonly calls: RemoteCalls
  readonly remote: RemoteSessions
  /** The handle of a session of the owner, at the caller. */
  handle(sessionId: string): SessionHandle
  /** Ends the owner's connection to NATS and its listening, as the end of its process would. */
  loseOwner(): Promise<void>
  close(): Promise<void>
}

export interface LinkOptions {
  /** Of the caller. */
  secret?: string
  /** What the owner reaches NATS over. Default: nothing in between. */
  ownerNats?: Pick<TestNats, 'address'>
  /** How both sign in to NATS. */
  login?: Pick<NatsConfig, 'user' | 'password'>
  /** How long the owner works for a caller that it does not hear of. */
  unheardMs?: number
  timing?: CallTiming
  store?: RemoteSessionsOptions['store']
  saveUpload?: RemoteSessionsOptions['saveUpload']
}

const SECRET = 'a-secret-of-the-machines-of-a-test'

export async function linkMachines(
  nats: TestNats,
  sessions: OwnSessions,
  options: LinkOptions = {},
): Promise<LinkedMachines> {
  await using opening = new AsyncDisposableStack()
  const messengerOf = async (server: Pick<TestNats, 'address'>) => {
    let messenger: NatsMessenger | undefined
    const bus = await openNatsBus(natsConfig(server, options.login), silent, NATS_TIMING, (link) => {
      messenger = new NatsMessenger(link, silent)
    })
    opening.defer(() => bus.close())
    return { bus, messenger: messenger! }
  }
  const owner: MachineAddress = { machineId: randomUUID(), epoch: 1 }
  const secret = new MachineSecret([SECRET])
  const [ownerSide, callerSide] = [await messengerOf(options.ownerNats ?? nats), await messengerOf(nats)]

  const { unheardMs } = options
  const served = new ServedCalls(sessions, ownerSide.messenger, secret, silent, undefined, unheardMs)
  opening.defer(() => served.close())
  served.serve(owner)
  const connections = new Connections(new ClientAddresses([]), CONNECTION_LIMITS)
  const machines = new MachineConnections(served, new AnsweringHandshakes(secret), silent)
  const server = createServer((request, response) => {
    void machines.serve(request, response, new URL(request.url!, 'http://localhost'))
  })
  server.on('upgrade', (request, stream, head) => machines.upgrade(request, stream, head, connections))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stopListening = async () => {
    await machines.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    connections.close()
  }
  opening.defer(stopListening)

  const callerSecret = new MachineSecret([options.secret ?? SECRET])
  const calls = opening.adopt(new RemoteCalls(callerSide.messenger, callerSecret, options.timing), (one) => one.close())
  const remote = new RemoteSessions({
    calls,
    dialer: new WebSocketDialer(),
    secret: callerSecret,
    store: options.store ?? { findSession: () => Promise.reject(new Error('no database')) },
    findUrl: async () => url,
    saveUpload: options.saveUpload ?? (() => Promise.reject(new Error('the session was not asked'))),
  })
  const opened = opening.move()
  return {
    owner,
    served,
    url,
    messengers: { owner: ownerSide.messenger, caller: callerSide.messenger },
    secret,
    calls,
    remote,
    handle: (id) =>
      remote.handle({ id, owner: 'ann', machineId: owner.machineId, machineEpoch: owner.epoch } as SessionRecord),
    loseOwner: async () => {
      await ownerSide.bus.close()
      await stopListening()
    },
    close: () => opened.disposeAsync(),
  }
}
