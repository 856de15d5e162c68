import pg from 'pg'
import { ownedBy, type FaultOwner } from '../../../fault-owner.ts'

/** Events of a pool's connections. Calls must not throw. */
export interface ConnectionEvents {
  /** A statement has completed or failed. */
  statementEnded(): void
  /** A connection ends because one of its listeners threw. */
  failed(error: unknown): void
}

type Callback = (error?: Error | null, ...results: unknown[]) => void

/**
 * A connection that owns its faults: an error in one of its listeners breaks it, and pending calls fail as after a
 * network error. Every caller gets a result: pg reports the end of a connection through its own listeners, and a lost
 * call of one would block its caller, and its place in the pool, forever.
 */
export class OwnedClient extends pg.Client {
  readonly #events: ConnectionEvents
  readonly #faults: FaultOwner = new ConnectionFaults((error) => this.#break(error))
  readonly #unanswered = new Set<(broken: Error) => void>()
  #broken: Error | null = null

  /** The pool constructs it with all of the pool's options. */
  constructor(options: pg.ClientConfig & { events: ConnectionEvents }) {
    super(options)
    this.#events = options.events
  }

  // Callers and pg pass callbacks or expect promises, for which its types have many overloads.
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

  /** Calls pg. The caller gets exactly one result: from pg, or that the connection is broken. */
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
      // The pool may hand out a broken one, if the listener that removes it from the pool was the one that failed.
      if (this.#broken) this.#answerAll(this.#broken)
      return (asked instanceof Promise ? this.#promised(asked, answer) : asked) as never
    } catch (error) {
      // If this threw, the pool would lose track of its caller.
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
    // Each one separately: an error of one is another fault, and must not skip the others.
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
