import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TabwireError } from '../../domain/kernel/errors.ts'
import { unowned, type FaultOwner } from '../../fault-owner.ts'
import type { ClientAddresses } from './client-addresses.ts'

export interface ConnectionLimits {
  /** Connections per address without a valid key or link. */
  anonymousPerAddress: number
  /** The same for all addresses together. */
  anonymous: number
  /** Minimum age of a connection before the budget of its address closes it: clients open many at once. */
  settleMs: number
  /** How long an anonymous client may leave a response unread. */
  stallMs: number
  /** Pipelined requests per connection. */
  pipelined: number
  /** Open connections per owner; holders of the owner's links have the same number again. */
  perOwner: number
  /** The same for all owners together. */
  authenticated: number
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  anonymousPerAddress: 64,
  anonymous: 1_024,
  settleMs: 1_000,
  stallMs: 60_000,
  pipelined: 64,
  perOwner: 1_000,
  authenticated: 4_000,
}

export class TooManyConnections extends TabwireError {
  override readonly code = 'TOO_MANY_CONNECTIONS'
  readonly retryAfterSeconds: number

  constructor(message: string, retryAfterSeconds = 10) {
    super(message, { retryAfterSeconds })
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Evicted connections that still receive the reason; beyond this number, the oldest is closed. */
const MAX_LEAVING = 256

/**
 * All connections of the server, over every protocol. Connections without a valid key or link have a budget per address
 * and a total one, and the oldest is evicted for the newest. A client with a key leaves that budget as soon as the key
 * is verified, so clients without a key cannot lock it out.
 */
export class Connections {
  readonly addresses: ClientAddresses
  readonly limits: ConnectionLimits
  readonly #connections = new WeakMap<Socket, Connection>()
  /** Oldest first, like all sets here. */
  readonly #anonymous = new Set<Connection>()
  readonly #byAddress = new Map<string, Set<Connection>>()
  /** Addresses that exceed their budget. */
  readonly #crowded = new Set<string>()
  readonly #authenticated = new Set<Connection>()
  readonly #byOwner = new Map<string, Set<Connection>>()
  readonly #leaving = new Set<Connection>()
  #sweep: NodeJS.Timeout | null = null

  constructor(addresses: ClientAddresses, limits: ConnectionLimits) {
    this.addresses = addresses
    this.limits = limits
  }

  /** Counts a socket from now until it closes. */
  open(socket: Socket): Connection {
    const peer = socket.remoteAddress ?? ''
    const connection = new Connection(this, socket, peer)
    this.#connections.set(socket, connection)
    socket.once('close', () => {
      this.remove(connection)
      this.#leaving.delete(connection)
    })
    this.addAnonymous(connection, connection.isOfProxy ? null : this.addresses.of(peer, {}))
    return connection
  }

  of(socket: Socket): Connection {
    return this.#connections.get(socket) ?? this.open(socket)
  }

  /** Closes all open connections, over every protocol. */
  cut(): void {
    for (const { socket } of [...this.#anonymous, ...this.#authenticated, ...this.#leaving]) socket.destroy()
  }

  /** Stops the timer. */
  close(): void {
    if (this.#sweep) clearInterval(this.#sweep)
    this.#sweep = null
  }

  addAnonymous(connection: Connection, address: string | null): void {
    if (connection.socket.destroyed) return
    connection.holder = { kind: 'address', name: address, since: Date.now() }
    this.#anonymous.add(connection)
    if (address !== null) {
      const own = setOf(this.#byAddress, address)
      own.add(connection)
      if (own.size > this.limits.anonymousPerAddress) {
        this.#crowded.add(address)
        // A turn later: keys that arrived while the process stood still are read first.
        const evict = () => void setImmediate(() => this.#evictCrowds())
        this.#sweep ??= unowned(() => setInterval(evict, this.limits.settleMs / 2).unref())
      }
    }
    // Addresses over their budget are evicted first, even if it is the newcomer's own.
    while (this.#anonymous.size > this.limits.anonymous) {
      const [crowd] = address !== null && this.#crowded.has(address) ? [address] : this.#crowded
      const [oldest] = crowd === undefined ? this.#anonymous : this.#byAddress.get(crowd)!
      this.#evict(oldest!)
    }
  }

  /** Throws TooManyConnections. */
  addAuthenticated(connection: Connection, owner: string): void {
    const { perOwner, authenticated } = this.limits
    if (!this.#hasSpace(this.#byOwner.get(owner), perOwner)) {
      throw new TooManyConnections(`This owner has ${perOwner} connections open: close some, or retry later.`)
    }
    if (!this.#hasSpace(this.#authenticated, authenticated)) {
      throw new TooManyConnections(`The server has ${authenticated} connections open: retry later.`)
    }
    this.remove(connection)
    connection.holder = { kind: 'owner', name: owner }
    setOf(this.#byOwner, owner).add(connection)
    this.#authenticated.add(connection)
  }

  remove(connection: Connection): void {
    const { holder } = connection
    connection.holder = null
    if (holder?.kind === 'owner') {
      this.#authenticated.delete(connection)
      removeFrom(this.#byOwner, holder.name, connection)
    } else if (holder) {
      this.#anonymous.delete(connection)
      if (holder.name === null) return
      const left = removeFrom(this.#byAddress, holder.name, connection)
      if (left <= this.limits.anonymousPerAddress) this.#crowded.delete(holder.name)
    }
  }

  /** An idle keep-alive connection is evicted before one in use. */
  #hasSpace(holders: Set<Connection> | undefined, limit: number): boolean {
    if (!holders || holders.size < limit) return limit > 0
    for (const connection of holders) {
      if (!connection.isIdle) continue
      this.#evict(connection)
      return true
    }
    return false
  }

  #evictCrowds(): void {
    const settled = Date.now() - this.limits.settleMs
    for (const address of this.#crowded) {
      const own = this.#byAddress.get(address)!
      for (const connection of own) {
        const { holder } = connection
        if (own.size <= this.limits.anonymousPerAddress) break
        if (holder?.kind !== 'address' || holder.since > settled) break
        this.#evict(connection)
      }
    }
    if (this.#crowded.size === 0) this.close()
  }

  #evict(connection: Connection): void {
    this.remove(connection)
    this.#leaving.add(connection)
    connection.dismiss()
    if (this.#leaving.size <= MAX_LEAVING) return
    const [longest] = this.#leaving
    this.#leaving.delete(longest!)
    longest!.socket.destroy()
  }
}

/**
 * One socket. It starts anonymous, and so does each request over it. It owns the faults of its handlers, which end this
 * connection only.
 */
export class Connection implements FaultOwner {
  readonly socket: Socket
  /** The client it is counted for; null: no longer counted. */
  holder: { kind: 'address'; name: string | null; since: number } | { kind: 'owner'; name: string } | null = null
  readonly isOfProxy: boolean
  readonly #connections: Connections
  readonly #peer: string
  #address: string
  #requests = 0
  #dismiss: (() => void) | null = null
  #reportFault: ((error: unknown) => void) | null = null

  constructor(connections: Connections, socket: Socket, peer: string) {
    this.#connections = connections
    this.socket = socket
    this.#peer = peer
    this.#address = connections.addresses.of(peer, {})
    this.isOfProxy = connections.addresses.isTrustedProxy(peer)
  }

  /** Client of the latest request. */
  get address(): string {
    return this.#address
  }

  get isAuthenticated(): boolean {
    return this.holder?.kind === 'owner'
  }

  /** Idle between two requests (keep-alive). */
  get isIdle(): boolean {
    return this.#requests === 0
  }

  /** A new request is anonymous until it shows a key, even if an earlier one on the same connection did. */
  begin(headers: IncomingMessage['headers']): void {
    this.#requests += 1
    if (this.#requests > this.#connections.limits.pipelined) return void this.socket.destroy()
    this.#address = this.#connections.addresses.of(this.#peer, headers)
    const { holder } = this
    // The age of an anonymous connection is not reset: requests without a key gain no time.
    if (!holder || (holder.kind === 'address' && holder.name === this.#address)) return
    this.#connections.remove(this)
    this.#connections.addAnonymous(this, this.#address)
  }

  /** The response was sent. A connection that a proxy keeps alive belongs to no client. */
  end(): void {
    this.#requests -= 1
    if (!this.isOfProxy || !this.holder || this.#requests > 0) return
    this.#connections.remove(this)
    this.#connections.addAnonymous(this, null)
  }

  /**
   * The client has shown a valid key, or a link to something of the owner's. Throws TooManyConnections. Link holders
   * are counted separately, so that they cannot lock out the owner who shared the links.
   */
  admit(owner: string, by: 'key' | 'link'): void {
    const name = `${by} ${owner}`
    const { holder } = this
    // Null: evicted or already closed.
    if (!holder || (holder.kind === 'owner' && holder.name === name)) return
    this.#connections.addAuthenticated(this, name)
  }

  /** Called instead of closing the socket when it is evicted. */
  onEvicted(dismiss: () => void): void {
    this.#dismiss = dismiss
  }

  /** Reports a fault to the client instead of closing the socket; null: there is no client to report to now. */
  onFault(report: ((error: unknown) => void) | null): void {
    this.#reportFault = report
  }

  fail(error: unknown): void {
    const report = this.#reportFault
    // Any further failure closes the socket.
    this.#reportFault = null
    try {
      if (report) return report(error)
    } catch {
      // Then the socket is closed as well.
    }
    this.socket.destroy()
  }

  dismiss(): void {
    if (this.#dismiss) this.#dismiss()
    else this.socket.destroy()
  }
}

function setOf(sets: Map<string, Set<Connection>>, name: string): Set<Connection> {
  let own = sets.get(name)
  if (!own) {
    own = new Set()
    sets.set(name, own)
  }
  return own
}

/** Number of remaining connections. */
function removeFrom(sets: Map<string, Set<Connection>>, name: string, connection: Connection): number {
  const own = sets.get(name)
  own?.delete(connection)
  if (own?.size === 0) sets.delete(name)
  return own?.size ?? 0
}
