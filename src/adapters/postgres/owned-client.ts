import pg from 'pg'
import { ownedBy, type FaultOwner } from '../../fault-owner.ts'

/** A connection that answers for itself: a fault in one of its listeners breaks it, and its statement fails as if the network had. */
export class OwnedClient extends pg.Client {
  readonly #faults: FaultOwner = new ConnectionFaults((error) => this.#break(error))

  // The pool gives a callback, for which the types of pg have another signature.
  override connect(...given: []): Promise<pg.Client> {
    return ownedBy(this.#faults, () => super.connect(...given))
  }

  #break(error: unknown): void {
    const { connection } = this as unknown as { connection: { stream: { destroy(error: Error): void } } }
    connection.stream.destroy(error instanceof Error ? error : new Error(String(error)))
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
