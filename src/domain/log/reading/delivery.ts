import { unowned } from '../../../fault-owner.ts'
/**
 * Limits on the data held for all readers together: read for them, but not yet taken over the connection. Each
 * connection has a small share, so that a hundred subscriptions on a socket that is not read cost a few batches
 * instead of a hundred; whatever does not fit waits before it is read. Owners take turns. A connection that takes
 * nothing for a while is disconnected when others wait for space: its readers reconnect with their cursors.
 */
export interface DeliveryLimits {
  /** For all connections; further reads wait. Unsolicited data may double it. */
  totalBytes: number
  /** For one connection; a single read may exceed it. */
  connectionBytes: number
  /** How long a connection may take nothing while others wait. */
  stalledMs: number
}

export const DELIVERY_LIMITS: DeliveryLimits = {
  totalBytes: 256 * 1024 * 1024,
  connectionBytes: 4 * 1024 * 1024,
  stalledMs: 10_000,
}

/** Reserved space. */
export interface Reservation {
  /** Adjusts it to the actual size. No effect after release. */
  resize(bytes: number): void
  /** Idempotent. */
  release(): void
}

/** Source of space for the readers of one connection. */
export interface DeliverySpace {
  /** Waits for space. Rejects with the signal's reason if that fires first. */
  reserve(bytes: number, signal: AbortSignal): Promise<Reservation>
  /** Reserves space only if it is available immediately and no reader is waiting for it. */
  tryReserve(bytes: number): Reservation | null
  /** Reserves space unconditionally, for data that already exists. */
  hold(bytes: number): Reservation
}

const NOTHING: Reservation = { resize: () => {}, release: () => {} }

/** For readers without a connection. */
export const UNLIMITED_SPACE: DeliverySpace = {
  reserve: () => Promise.resolve(NOTHING),
  tryReserve: () => NOTHING,
  hold: () => NOTHING,
}

export class DeliveryBudget {
  readonly limits: DeliveryLimits
  readonly #connections = new Set<Delivery>()
  /** Connections, by owner, with a reader that only the total blocks. The owner whose turn is next comes first. */
  readonly #blocked = new Map<string, Set<Delivery>>()
  #total = 0
  #isGranting = false
  #watch: NodeJS.Timeout | null = null

  constructor(limits: DeliveryLimits = DELIVERY_LIMITS) {
    this.limits = limits
  }

  /** Bytes currently held. */
  get total(): number {
    return this.#total
  }

  /** `disconnect` ends the connection immediately. The caller closes what it opens. */
  open(owner: string, disconnect: () => void): Delivery {
    const delivery = new Delivery(this, owner, disconnect)
    this.#connections.add(delivery)
    return delivery
  }

  /** Called only by deliveries, as are all methods below. */
  forget(delivery: Delivery): void {
    this.#connections.delete(delivery)
    this.unblock(delivery)
  }

  /**
   * Space available to the owner: if others are waiting, it waits for its turn, since otherwise they would wait while
   * it proceeds.
   */
  hasSpace(bytes: number, owner: string): boolean {
    const isTurn = this.#isGranting || [...this.#blocked.keys()].every((other) => other === owner)
    return isTurn && (this.#total === 0 || this.#total + bytes <= this.limits.totalBytes)
  }

  count(change: number): void {
    this.#total += change
    if (change < 0) this.#grant()
    // Only unsolicited data raises it that far.
    while (this.#total > 2 * this.limits.totalBytes && this.#disconnectOne([...this.#connections])) continue
  }

  block(delivery: Delivery): void {
    const same = this.#blocked.get(delivery.owner)
    if (same) same.add(delivery)
    else this.#blocked.set(delivery.owner, new Set([delivery]))
    this.#watch ??= unowned(() =>
      setInterval(() => this.#disconnectStalled(), Math.max(10, this.limits.stalledMs / 10)),
    )
  }

  unblock(delivery: Delivery): void {
    const same = this.#blocked.get(delivery.owner)
    same?.delete(delivery)
    if (same?.size === 0) this.#blocked.delete(delivery.owner)
    // The space it waited for may be enough for the next.
    if (this.#blocked.size > 0) return this.#grant()
    if (!this.#watch) return
    clearInterval(this.#watch)
    this.#watch = null
  }

  #grant(): void {
    if (this.#isGranting) return
    this.#isGranting = true
    for (let next = this.#next(); next?.grantNext(); next = this.#next()) {
      const same = this.#blocked.get(next.owner)
      if (!same) continue
      // Moves its owner to the back of the queue, and it to the back of its owner's.
      if (same.delete(next)) same.add(next)
      this.#blocked.delete(next.owner)
      this.#blocked.set(next.owner, same)
    }
    this.#isGranting = false
  }

  #next(): Delivery | undefined {
    const [first] = this.#blocked.values().next().value ?? []
    return first
  }

  #disconnectStalled(): void {
    const since = performance.now() - this.limits.stalledMs
    const stalled = [...this.#connections].filter((one) => one.held > 0 && one.movedAt < since)
    while (this.#blocked.size > 0 && this.#disconnectOne(stalled)) continue
  }

  /** Disconnects the largest of the owner that holds most. False if there is none. */
  #disconnectOne(among: Delivery[]): boolean {
    const ofOwner = new Map<string, number>()
    for (const { owner, held } of among) ofOwner.set(owner, (ofOwner.get(owner) ?? 0) + held)
    const [most] = among
      .filter(({ held }) => held > 0)
      .sort((one, other) => ofOwner.get(other.owner)! - ofOwner.get(one.owner)! || other.held - one.held)
    if (!most) return false
    most.disconnect()
    return true
  }
}

interface Waiting {
  bytes: number
  start(): void
}

/** Space of one connection. */
export class Delivery implements DeliverySpace {
  readonly owner: string
  readonly #budget: DeliveryBudget
  readonly #disconnect: () => void
  readonly #waiting = new Set<Waiting>()
  #held = 0
  #movedAt = performance.now()
  #closed = false

  constructor(budget: DeliveryBudget, owner: string, disconnect: () => void) {
    this.#budget = budget
    this.owner = owner
    this.#disconnect = disconnect
  }

  get held(): number {
    return this.#held
  }

  /** When it last took data, or started to hold some. */
  get movedAt(): number {
    return this.#movedAt
  }

  async reserve(bytes: number, signal: AbortSignal): Promise<Reservation> {
    signal.throwIfAborted()
    if (this.#waiting.size === 0 && this.#fits(bytes) && this.#budget.hasSpace(bytes, this.owner))
      return this.hold(bytes)
    const { promise, resolve, reject } = Promise.withResolvers<Reservation>()
    const leave = () => {
      this.#waiting.delete(waiting)
      this.#letNext()
      reject(signal.reason as Error)
    }
    const waiting: Waiting = {
      bytes,
      start: () => {
        signal.removeEventListener('abort', leave)
        resolve(this.hold(bytes))
      },
    }
    signal.addEventListener('abort', leave, { once: true })
    this.#waiting.add(waiting)
    this.#letNext()
    return promise
  }

  tryReserve(bytes: number): Reservation | null {
    const isFree = this.#waiting.size === 0 && this.#fits(bytes) && this.#budget.hasSpace(bytes, this.owner)
    return isFree ? this.hold(bytes) : null
  }

  /** It has taken a part of what it holds. */
  moved(): void {
    this.#movedAt = performance.now()
  }

  hold(bytes: number): Reservation {
    if (this.#closed) return NOTHING
    let held = 0
    let isReleased = false
    const resize = (size: number) => {
      if (this.#closed || isReleased) return
      const change = size - held
      held = size
      this.#change(change)
    }
    resize(bytes)
    const release = () => {
      resize(0)
      isReleased = true
    }
    return { resize, release }
  }

  /** Unblocks its next waiting reader. False if there is no space. Called by the budget. */
  grantNext(): boolean {
    const [next] = this.#waiting
    if (!next || !this.#fits(next.bytes)) {
      this.#budget.unblock(this)
      return true
    }
    if (!this.#budget.hasSpace(next.bytes, this.owner)) return false
    this.#waiting.delete(next)
    next.start()
    const [after] = this.#waiting
    if (!after || !this.#fits(after.bytes)) this.#budget.unblock(this)
    return true
  }

  disconnect(): void {
    this.close()
    this.#disconnect()
  }

  /** Its readers have ended or are about to: their signals fire. Idempotent. */
  close(): void {
    if (this.#closed) return
    const held = this.#held
    this.#closed = true
    this.#held = 0
    this.#budget.forget(this)
    this.#budget.count(-held)
  }

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#budget.limits.connectionBytes
  }

  #change(change: number): void {
    if (change === 0) return
    if (change < 0 || this.#held === 0) this.moved()
    this.#held += change
    if (change < 0) this.#letNext()
    this.#budget.count(change)
  }

  #letNext(): void {
    while (!this.#closed) {
      const [next] = this.#waiting
      if (!next || !this.#fits(next.bytes)) return this.#budget.unblock(this)
      if (!this.#budget.hasSpace(next.bytes, this.owner)) return this.#budget.block(this)
      this.#waiting.delete(next)
      next.start()
    }
  }
}
