import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { ConnectionOutcome, EgressPolicy, UpstreamProxy, WebSocketEnd } from '../../../ports/egress/egress.ts'
import { ownedBy } from '../../../fault-owner.ts'
import type { EgressContext } from './egress-context.ts'
import { EgressRules } from '../names/egress-rules.ts'
import { NameCache } from '../names/name-resolver.ts'
import type { Assignment } from '../names/judged-addresses.ts'
import { OutcomeBudget } from './outcome-budget.ts'
import { PageConnection, type ConnectionReport } from './page-connection.ts'

const LOOPBACK = '127.0.0.1'

/** Receives each outcome, and the number of unreported ones before it. */
export type OutcomeListener = (outcome: ConnectionOutcome, unreported: number) => void

/** The proxy of one browser: a port on 127.0.0.1 and its connections. */
export class BrowserProxy {
  readonly #context: EgressContext
  readonly #server: Server
  readonly #connections = new Set<PageConnection>()
  #assigned: (Assignment & { upstream: UpstreamProxy | null }) | null = null
  #report: ConnectionReport = { outcome: () => {}, socketEnd: () => {} }

  constructor(context: EgressContext) {
    this.#context = context
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client))
  }

  /** Returns the port; 0 picks a free one. Rejects if the port is in use. */
  async listen(port: number): Promise<number> {
    this.#server.listen(port, LOOPBACK)
    await once(this.#server, 'listening')
    // For example EMFILE: that connection is lost, the server keeps listening.
    this.#server.on('error', () => {})
    return (this.#server.address() as AddressInfo).port
  }

  assign(policy: EgressPolicy, listener: OutcomeListener, onSocketEnd: (end: WebSocketEnd) => void): void {
    this.#endAll()
    const budget = new OutcomeBudget()
    this.#assigned = {
      rules: new EgressRules(policy, this.#context.own),
      names: new NameCache(this.#context.names),
      upstream: policy.upstream,
    }
    const ends = new OutcomeBudget()
    this.#report = {
      outcome: (outcome) => {
        if (budget.take()) listener(outcome, budget.unreported)
      },
      socketEnd: (end) => {
        if (ends.take()) onSocketEnd(end)
      },
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#endAll()
    await closed
  }

  #endAll(): void {
    for (const connection of this.#connections) connection.end()
    this.#connections.clear()
  }

  #accept(client: Socket): void {
    if (this.#connections.size >= this.#context.limits.connectionsPerBrowser) return void client.destroy()
    const connection = new PageConnection(client, this.#assigned, this.#context, this.#report)
    this.#connections.add(connection)
    // A fault ends this connection only.
    ownedBy({ fail: () => connection.end() }, () => {
      void connection.serve().finally(() => this.#connections.delete(connection))
    })
  }
}
