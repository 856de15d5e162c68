import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Deadline } from '../../../async/deadline.ts'
import type { ConnectionFailure, ConnectionOutcome, UpstreamProxy, WebSocketEnd } from '../../../ports/egress/egress.ts'
import { formatAddress, parseHost, type Host } from '../../../egress/network-address.ts'
import { upstreamParts } from '../../../egress/upstream-proxy.ts'
import { blocked, ConnectionFailed, notResolved, timedOut, upstreamUnreachable } from '../names/connection-failed.ts'
import type { EgressContext } from './egress-context.ts'
import { judgedAddresses, judgedUpstream, type Assignment } from '../names/judged-addresses.ts'
import { connectToFirst, type Reached } from './happy-eyeballs.ts'
import { readDestination, REPLY, socksReply, type Destination } from './socks-handshake.ts'
import { join, reset } from './tunnel.ts'
import { UpstreamRoute } from './upstream-route.ts'
import { secure } from './upstream.ts'

const REPLIES: Readonly<Record<ConnectionFailure['code'], number>> = {
  BLOCKED: REPLY.notAllowed,
  NAME_NOT_RESOLVED: REPLY.hostUnreachable,
  REFUSED: REPLY.connectionRefused,
  TIMED_OUT: REPLY.hostUnreachable,
  UNREACHABLE: REPLY.networkUnreachable,
  RESET: REPLY.generalFailure,
  UPSTREAM_FAILED: REPLY.generalFailure,
}

/** Receives the events of connections. */
export interface ConnectionReport {
  outcome: (outcome: ConnectionOutcome) => void
  socketEnd: (end: WebSocketEnd) => void
}

/** One connection of a browser, from its handshake to its end. */
export class PageConnection {
  readonly #client: Socket
  readonly #assigned: (Assignment & { upstream: UpstreamProxy | null }) | null
  readonly #context: EgressContext
  readonly #report: ConnectionReport
  readonly #ended = new AbortController()
  #host = ''
  #port = 0
  #startedAt = 0
  #dnsMs: number | null = null
  #connectMs: number | null = null
  #peer: string | null = null
  #hasSucceeded = false

  /** `assigned`: null before a policy is assigned; everything is blocked. */
  constructor(
    client: Socket,
    assigned: (Assignment & { upstream: UpstreamProxy | null }) | null,
    context: EgressContext,
    report: ConnectionReport,
  ) {
    this.#client = client
    this.#assigned = assigned
    this.#context = context
    this.#report = report
    client.on('error', () => client.destroy())
    client.once('close', () => this.#ended.abort(new Error('the browser closed the connection')))
  }

  /** Closes it in any state. */
  end(): void {
    this.#client.destroy()
  }

  /** Resolves when the connection is closed. Never rejects. */
  async serve(): Promise<void> {
    try {
      await this.#open(await this.#readDestination())
    } catch (error) {
      if (error instanceof ConnectionFailed) await this.#fail(error)
      else this.#client.destroySoon()
    }
    if (!this.#client.closed) await once(this.#client, 'close')
  }

  async #readDestination(): Promise<Destination> {
    const timer = setTimeout(() => this.end(), this.#context.limits.handshakeMs)
    try {
      return await readDestination(this.#client)
    } finally {
      clearTimeout(timer)
    }
  }

  async #open({ host: text, port }: Destination): Promise<void> {
    if (!this.#assigned) throw blocked('no policy')
    this.#startedAt = Date.now()
    this.#port = port
    const host = parseHost(text)
    this.#host = host ? nameOf(host) : text
    if (!host) throw notResolved()
    using limit = new Deadline(this.#context.limits.connectMs, [this.#ended.signal], timedOut)
    const addresses = await this.#judge(host, text.endsWith('.'), limit)
    if (this.#assigned.upstream) return await this.#openThrough(this.#assigned.upstream, limit)
    const { socket, address } = await this.#connect(addresses, port, limit)
    limit[Symbol.dispose]()
    this.#peer = address
    this.#reportOutcome(null)
    this.#succeed()
    await join(this.#client, socket, this.#context.limits.endHeldMs, this.#report.socketEnd)
  }

  async #judge(host: Host, isComplete: boolean, limit: Deadline): Promise<string[]> {
    const assigned = this.#assigned!
    const startedAt = performance.now()
    try {
      return await limit.race(judgedAddresses(assigned, host, this.#port, isComplete))
    } catch (error) {
      // The name may be known to the upstream proxy only.
      const isUnknown = error instanceof ConnectionFailed && error.failure.code === 'NAME_NOT_RESOLVED'
      if (assigned.upstream && isUnknown && assigned.rules.trustsUnresolved(this.#host, this.#port)) return []
      throw error
    } finally {
      if (host.kind === 'name') this.#dnsMs = performance.now() - startedAt
    }
  }

  async #connect(addresses: readonly string[], port: number, limit: Deadline): Promise<Reached> {
    const startedAt = performance.now()
    try {
      return await connectToFirst(addresses, port, this.#context.limits.staggerMs, limit.signal)
    } finally {
      this.#connectMs = performance.now() - startedAt
    }
  }

  async #openThrough(upstream: UpstreamProxy, firstLimit: Deadline): Promise<void> {
    const parts = upstreamParts(upstream)
    const host = parseHost(parts.host)!
    /** The upstream's own address is subject to the policy. */
    const connect = async (limit: Deadline) => {
      try {
        const addresses = await limit.race(judgedUpstream(this.#assigned!, host, parts.port))
        const { socket } = await this.#connect(addresses, parts.port, limit)
        if (socket.destroyed) throw upstreamUnreachable()
        return await secure(socket, parts, this.#context.upstreamCa, limit.signal)
      } catch (error) {
        const isBlocked = error instanceof ConnectionFailed && error.failure.code === 'BLOCKED'
        throw isBlocked || this.#ended.signal.aborted ? error : upstreamUnreachable()
      }
    }
    const route = new UpstreamRoute({
      client: this.#client,
      destination: { host: this.#host, port: this.#port },
      parts,
      forward: this.#context.forward,
      limits: this.#context.limits,
      ended: this.#ended.signal,
      connect,
      succeed: () => this.#succeed(),
      report: (failure) => this.#reportOutcome(failure),
      reported: () => this.#context.delivery.confirmed(),
      socketEnd: this.#report.socketEnd,
    })
    await route.open(firstLimit)
  }

  #succeed(): void {
    this.#hasSucceeded = true
    this.#client.write(socksReply(REPLY.succeeded))
  }

  /** The recorder receives it before the reply, so that the reason is known when the request fails. */
  async #fail({ failure }: ConnectionFailed): Promise<void> {
    if (this.#assigned && !this.#ended.signal.aborted) {
      this.#reportOutcome(failure)
      await this.#context.delivery.confirmed()
    }
    if (this.#hasSucceeded) return reset(this.#client)
    this.#client.write(socksReply(REPLIES[failure.code]))
    this.#client.destroySoon()
  }

  #reportOutcome(failure: ConnectionFailure | null): void {
    this.#report.outcome({
      host: this.#host,
      port: this.#port,
      startedAt: this.#startedAt,
      endedAt: Date.now(),
      dnsMs: this.#dnsMs,
      connectMs: this.#connectMs,
      peer: this.#peer === null ? null : { address: this.#peer, port: this.#port },
      failure,
    })
  }
}

function nameOf(host: Host): string {
  return host.kind === 'name' ? host.name : formatAddress(host.address)
}
