import { TabwireError } from './errors.ts'

export class CapacityExceeded extends TabwireError {
  override readonly code = 'CAPACITY_EXCEEDED'

  constructor(retryAfterSeconds: number, message = 'All slots are taken and the queue is full.') {
    super(message, { retryAfterSeconds })
  }
}

/** Longer than a load balancer takes to notice that the server is not ready. */
const ELSEWHERE_SECONDS = 5

/** The server ends once its sessions have; others may have slots. */
export class ServerDraining extends TabwireError {
  override readonly code = 'SERVER_DRAINING'

  constructor() {
    super('The server is draining: it finishes the sessions that it has, and accepts no new ones.', {
      retryAfterSeconds: ELSEWHERE_SECONDS,
    })
  }
}

/** When to try again if a slot becomes free then, at the latest: limited to a reasonable delay. Null: unknown. */
export const retrySeconds = (freeInMs: number | null) =>
  Math.min(60, Math.max(1, Math.ceil((freeInMs ?? Number.POSITIVE_INFINITY) / 1000)))

/** A session's place in the queue: waiting, then live, then left. */
export interface Place {
  /** Resolves when the place gets a slot; never if it was left before. */
  readonly granted: Promise<void>
  leave(): void
}

/** A fixed number of slots for live sessions, with a FIFO queue. */
export class CapacityQueue {
  readonly total: number
  readonly #maxQueued: number
  readonly #queue = new Set<() => void>()
  readonly #empty = Promise.withResolvers<void>()
  #live = 0
  #isDraining = false

  constructor(total: number, maxQueued: number) {
    this.total = total
    this.#maxQueued = maxQueued
  }

  get live(): number {
    return this.#live
  }

  get queued(): number {
    return this.#queue.size
  }

  get isFull(): boolean {
    return this.#live >= this.total && this.#queue.size >= this.#maxQueued
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /** Whether `take` returns a slot. */
  get hasFree(): boolean {
    return !this.#isDraining && this.#live < this.total && this.#queue.size === 0
  }

  /** A slot, for what waits in another queue. Null: none is free, or no more are given. */
  take(): Place | null {
    return this.hasFree ? this.enter(() => 0) : null
  }

  /**
   * A slot if one is free, else a place in the queue. Throws CapacityExceeded if that is full too, and ServerDraining
   * after `drain`.
   */
  enter(retryAfterSeconds: () => number): Place {
    if (this.#isDraining) throw new ServerDraining()
    if (this.isFull) throw new CapacityExceeded(retryAfterSeconds())
    const { promise: granted, resolve } = Promise.withResolvers<void>()
    let state: 'queued' | 'live' | 'left' = 'queued'
    const grant = () => {
      this.#queue.delete(grant)
      this.#live += 1
      state = 'live'
      resolve()
    }
    this.#queue.add(grant)
    this.#grantNext()
    const leave = () => {
      if (state === 'live') this.#live -= 1
      this.#queue.delete(grant)
      state = 'left'
      this.#grantNext()
      this.#noteEmpty()
    }
    return { granted, leave }
  }

  /** Nobody enters any more. Resolves when all have left; those that wait still get their slots. */
  drain(): Promise<void> {
    this.#isDraining = true
    this.#noteEmpty()
    return this.#empty.promise
  }

  #noteEmpty(): void {
    if (this.#isDraining && this.#live + this.#queue.size === 0) this.#empty.resolve()
  }

  #grantNext(): void {
    for (const grant of this.#queue) {
      if (this.#live >= this.total) return
      grant()
    }
  }
}
