import { inTurns } from '../../../async/turns.ts'
import { LARGE_BYTES, LargeCommand, readCommand, type ClientCommand, type NoCommand } from './client-command.ts'

interface Waiting {
  message: readonly Buffer[]
  bytes: number
  taken: () => void
}

interface InboxHost {
  /** Null: the browser reads what it is given. Otherwise resolves when it does again. Never rejects. */
  congestion(): Promise<void> | null
  /** The promise never rejects. */
  take(command: ClientCommand | NoCommand): void | Promise<void>
  /** `isBusy` has changed. */
  changed(): void
  /** A command could not be handled: none of the others is. */
  failed(error: unknown): void
}

/**
 * Commands of one client, in their order. Small ones are handled at once. A large one is read in slices, between which the
 * server does everything else, and is handed on only when the browser has room: so it holds one at a time.
 */
export class CommandInbox {
  readonly #host: InboxHost
  readonly #waiting: Waiting[] = []
  #isClosed = false

  constructor(host: InboxHost) {
    this.#host = host
  }

  /** Whether to read no more of the client for now. */
  get isBusy(): boolean {
    return this.#waiting.length > 0
  }

  /** Void: it was handled. Otherwise resolves when it is, or never will be. Never rejects. */
  receive(message: readonly Buffer[]): void | Promise<void> {
    if (this.#isClosed) return undefined
    const bytes = message.reduce((sum, { length }) => sum + length, 0)
    if (!this.isBusy && bytes <= LARGE_BYTES) {
      return this.#host.take(readCommand(whole(message)))
    }
    const { promise, resolve: taken } = Promise.withResolvers<void>()
    this.#waiting.push({ message, bytes, taken })
    if (this.#waiting.length === 1) {
      this.#host.changed()
      void this.#work()
    }
    return promise
  }

  close(): void {
    this.#isClosed = true
    for (const { taken } of this.#waiting.splice(0)) taken()
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    try {
      for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
        const command = await this.#read(next)
        if (this.#isClosed) return
        const isTaken = this.#host.take(command)
        this.#waiting.shift()
        if (isTaken) void isTaken.then(next.taken)
        else next.taken()
      }
    } catch (error) {
      this.close()
      this.#host.failed(error)
    }
    if (!this.#isClosed) this.#host.changed()
  }

  async #read({ message, bytes }: Waiting): Promise<ClientCommand | NoCommand> {
    if (bytes <= LARGE_BYTES) return readCommand(whole(message))
    const large = new LargeCommand(message)
    // A client that has left in the meantime is not read to the end.
    await inTurns(() => !this.#isClosed && large.read())
    const congestion = () => (this.#isClosed ? null : this.#host.congestion())
    for (let eased = congestion(); eased; eased = congestion()) await eased
    return large.command()
  }
}

const whole = (message: readonly Buffer[]) => (message.length === 1 ? message[0]! : Buffer.concat(message))
