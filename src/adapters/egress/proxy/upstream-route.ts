import type { Socket } from 'node:net'
import { Deadline } from '../../../async/deadline.ts'
import type { ConnectionFailure, WebSocketEnd } from '../../../ports/egress/egress.ts'
import type { UpstreamParts } from '../../../egress/upstream-proxy.ts'
import { ConnectionFailed, timedOut, upstreamRefused } from '../names/connection-failed.ts'
import type { EgressLimits } from './egress-context.ts'
import { beginsRequest, type HttpForward } from './http-forward.ts'
import type { Destination } from './socks-handshake.ts'
import { join, reset } from './tunnel.ts'
import { throughConnect, throughSocks } from './upstream.ts'

export interface UpstreamRouteOptions {
  client: Socket
  destination: Destination
  parts: UpstreamParts
  forward: HttpForward
  limits: EgressLimits
  ended: AbortSignal
  /** Opens a connection to the upstream if the policy permits it. */
  connect(limit: Deadline): Promise<Socket>
  /** Sends the success reply. */
  succeed(): void
  /** Reports the outcome. */
  report(failure: ConnectionFailure | null): void
  /** Resolves once the outcome is known. Never rejects. */
  reported(): Promise<void>
  /** Reports how a WebSocket ended. */
  socketEnd(end: WebSocketEnd): void
}

/** One connection through an upstream proxy. The upstream gets the host name and resolves it in its own network. */
export class UpstreamRoute {
  readonly #options: UpstreamRouteOptions

  constructor(options: UpstreamRouteOptions) {
    this.#options = options
  }

  /** Resolves when the connection is closed. Rejects with a ConnectionFailed. */
  async open(limit: Deadline): Promise<void> {
    const { client, destination, parts, limits, connect, succeed, report, socketEnd } = this.#options
    const socket = await connect(limit)
    if (parts.scheme === 'socks5') {
      const target = await throughSocks(socket, parts, destination, limit.signal)
      limit[Symbol.dispose]()
      report(null)
      succeed()
      return await join(client, target, limits.endHeldMs, socketEnd)
    }
    limit[Symbol.dispose]()
    // The first bytes decide between forwarding and CONNECT, and the browser sends them only after the success reply.
    succeed()
    const first = await firstBytes(client, socket, limits.endHeldMs)
    if (!first) return
    client.unshift(first)
    const ready = socket.destroyed ? await this.#connectAgain() : socket
    await (beginsRequest(first) ? this.#forward(ready) : this.#tunnel(ready))
  }

  /** The upstream may close the connection of a browser that connects in advance. */
  async #connectAgain(): Promise<Socket> {
    const { limits, ended, connect } = this.#options
    using limit = new Deadline(limits.connectMs, [ended], timedOut)
    return await connect(limit)
  }

  async #tunnel(socket: Socket): Promise<void> {
    const { client, destination, parts, limits, ended, report, socketEnd } = this.#options
    using limit = new Deadline(limits.connectMs, [ended], timedOut)
    const target = await throughConnect(socket, parts, destination, limit.signal)
    limit[Symbol.dispose]()
    report(null)
    await join(client, target, limits.endHeldMs, socketEnd)
  }

  async #forward(socket: Socket): Promise<void> {
    const { client, destination, parts, forward, limits, ended, connect, report, reported } = this.#options
    const { promise: over, resolve, reject } = Promise.withResolvers<void>()
    let unused: Socket | null = socket
    let isReported = false
    const take = async () => {
      using limit = new Deadline(limits.connectMs, [ended], timedOut)
      const taken = unused ?? (await connect(limit))
      unused = null
      return taken
    }
    client.once('close', () => {
      unused?.destroy()
      resolve()
    })
    forward.serve(client, {
      destination,
      parts,
      connect: take,
      tunnel: (first) => {
        client.unshift(first)
        take()
          .then((ready) => this.#tunnel(ready))
          .then(resolve, reject)
      },
      established: () => {
        if (!isReported) report(null)
        isReported = true
      },
      failed: (error) => {
        report((error instanceof ConnectionFailed ? error : upstreamRefused()).failure)
        void reported().then(() => reset(client))
      },
    })
    await over
  }
}

/**
 * The first bytes from the browser; null if it closes before, or does not send any soon after the upstream has closed.
 */
async function firstBytes(client: Socket, upstream: Socket, endHeldMs: number): Promise<Buffer | null> {
  const { promise, resolve } = Promise.withResolvers<Buffer | null>()
  let held: NodeJS.Timeout | undefined
  const onUpstreamEnd = () => {
    held = setTimeout(() => client.destroy(), endHeldMs)
  }
  const onLeave = () => resolve(null)
  client.once('data', resolve)
  client.once('end', onLeave)
  client.once('close', onLeave)
  if (upstream.closed) onUpstreamEnd()
  else upstream.once('close', onUpstreamEnd)
  client.resume()
  try {
    const first = await promise
    if (!first) {
      client.destroy()
      upstream.destroy()
    }
    return first
  } finally {
    clearTimeout(held)
    client.pause()
    client.off('data', resolve)
    client.off('end', onLeave)
    client.off('close', onLeave)
    upstream.off('close', onUpstreamEnd)
  }
}
