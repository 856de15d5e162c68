import type { Socket } from 'node:net'
import type { ConnectionFailure } from '../../ports/egress.ts'
import type { UpstreamParts } from '../../ports/upstream-proxy.ts'
import { ConnectionFailed, upstreamRefused } from './connection-failed.ts'
import { beginsRequest, type HttpForward } from './http-forward.ts'
import type { Destination } from './socks-handshake.ts'
import { TimeLimit } from './time-limit.ts'
import { join, reset } from './tunnel.ts'
import { throughConnect, throughSocks } from './upstream.ts'

export interface UpstreamRouteOptions {
  client: Socket
  destination: Destination
  parts: UpstreamParts
  forward: HttpForward
  connectMs: number
  ended: AbortSignal
  /** Opens a connection to the upstream if the policy permits it. */
  connect(limit: TimeLimit): Promise<Socket>
  /** Sends the success reply. */
  succeed(): void
  /** Reports the outcome. */
  tell(failure: ConnectionFailure | null): void
  /** Resolves when it knows. Never rejects. */
  told(): Promise<void>
}

/** One connection through an upstream proxy. The upstream gets the host name and resolves it in its own network. */
export class UpstreamRoute {
  readonly #options: UpstreamRouteOptions

  constructor(options: UpstreamRouteOptions) {
    this.#options = options
  }

  /** Resolves when the connection is closed. Rejects with a ConnectionFailed. */
  async open(limit: TimeLimit): Promise<void> {
    const { client, destination, parts, connect, succeed, tell } = this.#options
    const socket = await connect(limit)
    if (parts.scheme === 'socks5') {
      const target = await throughSocks(socket, parts, destination, limit.signal)
      limit[Symbol.dispose]()
      tell(null)
      succeed()
      return await join(client, target)
    }
    limit[Symbol.dispose]()
    // The first bytes decide between forwarding and CONNECT, and the browser sends them only after the success reply.
    succeed()
    const first = await firstBytes(client, socket)
    if (!first) return
    client.unshift(first)
    await (beginsRequest(first) ? this.#forward(socket) : this.#tunnel(socket))
  }

  async #tunnel(socket: Socket): Promise<void> {
    const { client, destination, parts, connectMs, ended, tell } = this.#options
    using limit = new TimeLimit(connectMs, ended)
    const target = await throughConnect(socket, parts, destination, limit.signal)
    limit[Symbol.dispose]()
    tell(null)
    await join(client, target)
  }

  async #forward(socket: Socket): Promise<void> {
    const { client, destination, parts, forward, connectMs, ended, connect, tell, told } = this.#options
    const { promise: over, resolve, reject } = Promise.withResolvers<void>()
    let unused: Socket | null = socket
    let isTold = false
    const take = async () => {
      using limit = new TimeLimit(connectMs, ended)
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
        if (!isTold) tell(null)
        isTold = true
      },
      failed: (error) => {
        tell((error instanceof ConnectionFailed ? error : upstreamRefused()).failure)
        void told().then(() => reset(client))
      },
    })
    await over
  }
}

/** The first bytes from the browser; null if either side closes before. */
async function firstBytes(client: Socket, upstream: Socket): Promise<Buffer | null> {
  const { promise, resolve } = Promise.withResolvers<Buffer | null>()
  const onUpstreamEnd = () => client.destroy()
  const onLeave = () => resolve(null)
  client.once('data', resolve)
  client.once('end', onLeave)
  client.once('close', onLeave)
  upstream.once('close', onUpstreamEnd)
  client.resume()
  try {
    const first = await promise
    if (!first) {
      client.destroy()
      upstream.destroy()
    }
    return first
  } finally {
    client.pause()
    client.off('data', resolve)
    client.off('end', onLeave)
    client.off('close', onLeave)
    upstream.off('close', onUpstreamEnd)
  }
}
