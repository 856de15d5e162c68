import { setMaxListeners } from 'node:events'
import { Semaphore } from '../../async/semaphore.ts'
import { UNLIMITED_ROOM, type DeliveryRoom, type Held } from './delivery.ts'
import { approximateSize } from './entry-size.ts'
import { TabwireError } from '../kernel/errors.ts'

/**
 * Bounds in bytes on what one operation is answered with. Measured on two cores: 16 MiB of the worst text take 50 ms to
 * be written as JSON and 20 ms to be encoded, for which everybody else waits.
 */
export const RESPONSE_LIMITS = {
  /** Of the response as a whole, and of what is read for it. An event of a subscription counts as one response. */
  responseBytes: 16 * 1024 * 1024,
  /** Of one page of a connection, in the stored JSON of its entries. A page that reaches it is short. */
  pageBytes: 4 * 1024 * 1024,
} as const

/** The response, or what would have to be read for it, is larger than responses may be. */
export class ResponseTooLarge extends TabwireError {
  override readonly code = 'RESPONSE_TOO_LARGE'

  constructor(maxBytes: number = RESPONSE_LIMITS.responseBytes) {
    super(
      `The response would be larger than ${maxBytes} bytes. Ask for fewer items (first, last) or for fewer fields, or use several requests. A mutation was carried out all the same.`,
      { maxBytes },
    )
  }
}

export interface ReadsOptions {
  /** Fires when nobody waits for the result any more. */
  signal?: AbortSignal
  /** The room of the connection that the result goes to. */
  room?: DeliveryRoom
  /**
   * Whether to wait for room before the first read. Not within an event of a subscription, whose batch holds some
   * already: it would wait for itself.
   */
  waits?: boolean
}

const NEVER = new AbortController().signal
setMaxListeners(0, NEVER)

/** What one operation reads: one read after the other, and no more than a response may hold. */
export class OperationReads {
  readonly signal: AbortSignal
  readonly room: DeliveryRoom
  readonly #waits: boolean
  #left: number = RESPONSE_LIMITS.responseBytes
  #held: Held | null = null
  readonly #turn = new Semaphore(1)

  constructor({ signal = NEVER, room = UNLIMITED_ROOM, waits = true }: ReadsOptions = {}) {
    this.signal = signal
    this.room = room
    this.#waits = waits
  }

  /**
   * Runs a read of at most so many bytes when those before it are done. Throws ResponseTooLarge when they have read all
   * that a response may hold.
   */
  read<T>(mostBytes: number, read: (maxBytes: number) => Promise<T>, bytesOf: (found: T) => number): Promise<T> {
    return this.#turn.run(async () => {
      this.signal.throwIfAborted()
      if (this.#left <= 0) throw new ResponseTooLarge()
      this.#held ??= this.#waits ? await this.room.reserve(RESPONSE_LIMITS.pageBytes, this.signal) : this.room.hold(0)
      const found = await read(Math.min(mostBytes, this.#left))
      this.#left -= bytesOf(found)
      this.#held.resize(RESPONSE_LIMITS.responseBytes - this.#left)
      return found
    })
  }

  /** Reads a list of anything, a page of it or all. */
  list<T>(read: (maxBytes: number) => Promise<T>): Promise<T> {
    return this.read(RESPONSE_LIMITS.responseBytes, read, approximateSize)
  }

  /** Gives its room back: the result is on its way. */
  done(): void {
    this.#held?.release()
  }
}
