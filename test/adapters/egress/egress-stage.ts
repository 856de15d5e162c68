import { createServer, type AddressInfo, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach } from 'vitest'
import { WorkerEgress, type WorkerEgressOptions } from '../../../src/adapters/egress/thread/worker-egress.ts'
import type { ConnectionOutcome, EgressPolicy, EgressProxy } from '../../../src/ports/egress/egress.ts'
import { startNameServer, type NameServer, type Records } from './name-server.ts'

export const OPEN: EgressPolicy = { mode: 'OPEN', allow: [], allowedHosts: null, upstream: null }
export const PUBLIC: EgressPolicy = { ...OPEN, mode: 'PUBLIC' }
export const NONE: EgressPolicy = { ...OPEN, mode: 'NONE' }

export interface Browser {
  proxy: EgressProxy
  port: number
  /** Outcomes of the latest policy. */
  outcomes: ConnectionOutcome[]
}

/** Resources of a test, closed after the test. */
export class EgressStage {
  #opened = new AsyncDisposableStack()

  /** Call at the top of a file. */
  constructor() {
    afterEach(async () => {
      const opened = this.#opened
      this.#opened = new AsyncDisposableStack()
      await opened.disposeAsync()
    })
  }

  own<T>(value: T, close: (value: T) => void | Promise<void>): T {
    return this.#opened.adopt(value, close)
  }

  egress(options: WorkerEgressOptions = {}): WorkerEgress {
    return this.own(new WorkerEgress(pino({ level: 'silent' }), options), (egress) => egress.close())
  }

  /** A proxy with a policy, of the given egress or one of its own. */
  async browser(policy: EgressPolicy, egress: WorkerEgress | WorkerEgressOptions = {}): Promise<Browser> {
    const proxy = await (egress instanceof WorkerEgress ? egress : this.egress(egress)).open()
    const outcomes: ConnectionOutcome[] = []
    await proxy.assign(policy, (outcome) => outcomes.push(outcome))
    return { proxy, port: proxy.port, outcomes }
  }

  /** A TCP server on 127.0.0.1; returns its port. */
  async serve(onSocket: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
    const sockets = new Set<Socket>()
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => sockets.delete(socket))
      onSocket(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    this.own(server, async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    })
    return (server.address() as AddressInfo).port
  }

  async names(recordsOf: (name: string) => Records | null, ttl?: number): Promise<NameServer> {
    return this.own(await startNameServer(recordsOf, ttl), (server) => server.close())
  }
}

export const echo = (socket: Socket) => void socket.pipe(socket)

/** Sends the data, hangs up, and returns the response. */
export async function answerTo(socket: Socket, text: string): Promise<string> {
  socket.end(text)
  return Buffer.concat(await socket.toArray()).toString()
}
