import pg from 'pg'
import { ownedBy, type FaultOwner } from '../../fault-owner.ts'

/** What the connections of a pool tell beside answers. Calls must not throw. */
export interface ConnectionEvents {
  /** A statement has ended, well or not. */
  statementEnded(): void
  /** A connection is ended by what one of its listeners threw. */
  failed(error: unknown): void
}

type Callback = (error?: Error | null, ...results: unknown[]) => void

/**
 * A connection that answers for itself: a fault in one of its listeners breaks it, and what waits for it fails as if the
 * network had. Whoever waits is answered in any case: pg tells of an end through listeners of the same connection, and
 * what is lost in one of them would keep its caller waiting, and its place in the pool taken, for ever.
 */
export class OwnedClient extends pg.Client {
  readonly #events: ConnectionEvents
  readonly #faults: FaultOwner = new ConnectionFaults((error) => this.#break(error))
  readonly #unanswered = new Set<(broken: Error) => void>()
  #broken: Error | null = null

  /** As the pool makes it, which hands on all of its own options. */
  constructor(options: pg.ClientConfig & { events: ConnectionEvents }) {
    super(options)
    this.#events = options.events
  }

  // Callers and pg give callbacks or want promises, for which its types have many signatures.
  override connect(...given: never[]): never {
    return ownedBy(this.#faults, () => this.#asked(given, (handed) => super.connect(...handed)))
  }

  override query(...given: never[]): never {
    const count = () => this.#events.statementEnded()
    return this.#asked(given, (handed) => super.query(...(handed as unknown as [pg.Submittable])), count)
  }

  override end(...given: never[]): never {
    return this.#asked(given, (handed) => super.end(...handed))
  }

  /** Asks pg for something. Whoever wants to know what comes of it is told, and once: by pg, or that this is broken. */
  #asked(given: never[], ask: (handed: []) => unknown, onAnswer: () => void = () => {}): never {
    const callback: unknown = given.at(-1)
    const answer: Callback = (...outcome) => {
      if (!this.#unanswered.delete(answer)) return
      onAnswer()
      if (typeof callback === 'function') (callback as Callback)(...outcome)
    }
    this.#unanswered.add(answer)
    const handed = typeof callback === 'function' ? [...given.slice(0, -1), answer] : given
    try {
      const asked = ask(handed as [])
      // The pool may hand out a broken one, where the listener that takes it out of the pool was the one that failed.
      if (this.#broken) this.#answerAll(this.#broken)
      return (asked instanceof Promise ? this.#promised(asked, answer) : asked) as never
    } catch (error) {
      // The pool would forget whom it asks for.
      const broken = this.#break(error)
      return (typeof callback === 'function' ? undefined : Promise.reject(broken)) as never
    }
  }

  async #promised<T>(asked: Promise<T>, answer: Callback): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>()
    this.#unanswered.add(reject)
    try {
      return await Promise.race([asked, promise])
    } finally {
      this.#unanswered.delete(reject)
      answer()
    }
  }

  #break(error: unknown): Error {
    if (!this.#broken) {
      const broken = new Error('Connection terminated by a fault of its own', { cause: error })
      this.#broken = broken
      this.#events.failed(error)
      const { connection } = this as unknown as { connection: { stream: { destroy(error: Error): void } } }
      connection.stream.destroy(broken)
      // An idle one leaves the pool.
      process.nextTick(() => this.listenerCount('error') > 0 && this.emit('error', broken))
    }
    this.#answerAll(this.#broken)
    return this.#broken
  }

  #answerAll(broken: Error): void {
    // Each by itself: what one of them throws is another fault, and keeps nothing from the others.
    for (const answer of this.#unanswered) process.nextTick(answer, broken)
  }
}

class ConnectionFaults implements FaultOwner {
  readonly #break: (error: unknown) => void

  constructor(breakIt: (error: unknown) => void) {
    this.#break = breakIt
  }

  fail(error: unknown): void {
    this.#break(error)
  }
}
