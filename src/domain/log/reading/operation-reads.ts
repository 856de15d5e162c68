import { setMaxListeners } from 'node:events'
import { Semaphore } from '../../../async/semaphore.ts'
import { UNLIMITED_SPACE, type DeliverySpace, type Reservation } from './delivery.ts'
import { approximateSize } from '../entries/entry-size.ts'
import { TabwireError } from '../../kernel/errors.ts'

/**
 * Bounds in bytes on the response of one operation. Measured on two cores: writing 16 MiB of the worst text as JSON
 * takes 50 ms, encoding it 20 ms, during which everything else waits.
 */
export const RESPONSE_LIMITS = {
  /** Bound of the whole response, and of the data read for it. An event of a subscription counts as one response. */
  responseBytes: 16 * 1024 * 1024,
  /** Bound of one page of a connection, in the stored JSON of its entries. A page that reaches it is short. */
  pageBytes: 4 * 1024 * 1024,
} as const

/** The response, or the data to be read for it, exceeds the limit of responses. */
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
  /** Fires when the caller no longer waits for the result. */
  signal?: AbortSignal
  /** Space of the connection that receives the result. */
  space?: DeliverySpace
  /**
   * Whether to wait for space before the first read. False within an event of a subscription, whose batch already
   * holds some: it would wait for itself.
   */
  waits?: boolean
}

const NEVER = new AbortController().signal
setMaxListeners(0, NEVER)

/** The reads of one operation: sequential, and bounded by the limit of a response. */
export class OperationReads {
  readonly signal: AbortSignal
  readonly space: DeliverySpace
  readonly #waits: boolean
  #left: number = RESPONSE_LIMITS.responseBytes
  #held: Reservation | null = null
  readonly #turn = new Semaphore(1)

  constructor({ signal = NEVER, space = UNLIMITED_SPACE, waits = true }: ReadsOptions = {}) {
    this.signal = signal
    this.space = space
    this.#waits = waits
  }

  /**
   * Runs a read of at most so many bytes after the previous ones. Throws ResponseTooLarge if they have used up the
   * limit of a response.
   */
  read<T>(maxBytes: number, read: (maxBytes: number) => Promise<T>, bytesOf: (found: T) => number): Promise<T> {
    return this.#turn.run(async () => {
      this.signal.throwIfAborted()
      if (this.#left <= 0) throw new ResponseTooLarge()
      this.#held ??= this.#waits ? await this.space.reserve(RESPONSE_LIMITS.pageBytes, this.signal) : this.space.hold(0)
      const found = await read(Math.min(maxBytes, this.#left))
      this.#left -= bytesOf(found)
      this.#held.resize(RESPONSE_LIMITS.responseBytes - this.#left)
      return found
    })
  }

  /** Reads a list of any kind, a page of it or all. */
  list<T>(read: (maxBytes: number) => Promise<T>): Promise<T> {
    return this.read(RESPONSE_LIMITS.responseBytes, read, approximateSize)
  }

  /** Releases its space: the result has been handed over. */
  done(): void {
    this.#held?.release()
  }
}
