import type { Logger } from 'pino'
import { TabwireError } from '../kernel/errors.ts'

/** There is too little room for another session and its log. */
export class StorageFull extends TabwireError {
  override readonly code = 'STORAGE_FULL'

  constructor(message: string) {
    super(message, { retryAfterSeconds: RETRY_AFTER_SECONDS })
  }
}

export interface SpaceMarks {
  /** Below this, no session starts and no artifact is kept. */
  lowBytes: number
  /** From here on sessions start again: not at the mark itself, where each would be the last. */
  enoughBytes: number
  /**
   * Below this the log waits as well. The embedded database needs the rest for itself: what cannot be written in the
   * midst of a checkpoint ends it, and it needs room to start anew.
   */
  reservedBytes: number
  /** Of what is reserved, so much is not even for the ends of logs, which take a few kilobytes each. */
  untouchedBytes: number
}

const MIB = 1024 * 1024

/**
 * A segment of the write-ahead log takes 16 MiB: one fits into what is reserved, with what a checkpoint writes beside it.
 * Measured with pages that log 8 MB/s until the disk is full: the reserve was kept to within 3 MiB.
 */
export const SPACE_MARKS: SpaceMarks = {
  lowBytes: 48 * MIB,
  enoughBytes: 64 * MIB,
  reservedBytes: 24 * MIB,
  untouchedBytes: 4 * MIB,
}

const RETRY_AFTER_SECONDS = 10
const LOOK_EVERY_MS = 2_000
/** Where so much is free, it is not used up between two looks. */
const PLENTY_BYTES = 512 * MIB
/** With less than plenty, a look older than this is none. */
const FRESH_MS = 100

const megabytes = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`

/** How much room is left where the server stores its data, and what may still be done with it. */
export class FreeSpace {
  readonly #measure: () => Promise<number>
  readonly #logger: Logger
  readonly #marks: SpaceMarks
  readonly #timer: NodeJS.Timeout
  #free = Number.POSITIVE_INFINITY
  #lookedAt = Number.NEGATIVE_INFINITY
  #isLow = false
  #looking: Promise<void> | null = null

  /** `measure`: bytes that can still be written. */
  constructor(measure: () => Promise<number>, logger: Logger, marks: SpaceMarks = SPACE_MARKS) {
    this.#measure = measure
    this.#logger = logger
    this.#marks = marks
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref()
  }

  /** Looks now. Never rejects: a directory that cannot be looked at says nothing about its room. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => {
      this.#looking = null
    }))
  }

  /** Why no session can start, for people; null: there is room. */
  get problem(): string | null {
    if (!this.#isLow) return null
    return `only ${megabytes(this.#free)} are free where data is stored, of the ${megabytes(this.#marks.enoughBytes)} that are needed to start sessions`
  }

  /** Throws StorageFull. */
  async requireRoom(): Promise<void> {
    if (this.#isStale) await this.look()
    if (!this.#isLow) return
    const { enoughBytes } = this.#marks
    throw new StorageFull(
      `The server's disk is almost full: ${megabytes(this.#free)} are free, ${megabytes(enoughBytes)} are needed. Delete artifacts, or free disk space.`,
    )
  }

  /** Bytes that a file may take. */
  async roomForFiles(): Promise<number> {
    if (this.#isStale) await this.look()
    return Math.max(0, this.#free - this.#marks.lowBytes)
  }

  /** Whether entries of logs may still be written, or the last ones of a log. At once where there is plenty. */
  hasRoomForLogs(isEnd = false): boolean | Promise<boolean> {
    const hasRoom = () => this.#free >= (isEnd ? this.#marks.untouchedBytes : this.#marks.reservedBytes)
    return this.#isStale ? this.look().then(hasRoom) : hasRoom()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  get #isStale(): boolean {
    return this.#free < PLENTY_BYTES && performance.now() - this.#lookedAt > FRESH_MS
  }

  async #look(): Promise<void> {
    try {
      this.#free = await this.#measure()
      this.#lookedAt = performance.now()
    } catch (error) {
      this.#logger.warn({ err: error }, 'how much room is left could not be found out')
      return
    }
    const { lowBytes, enoughBytes } = this.#marks
    const isLow = this.#free < (this.#isLow ? enoughBytes : lowBytes)
    if (isLow === this.#isLow) return
    this.#isLow = isLow
    const freeBytes = this.#free
    if (isLow)
      this.#logger.error({ freeBytes, lowBytes }, 'the disk is almost full: no session starts until it is freed')
    else this.#logger.info({ freeBytes }, 'the disk has room again: sessions start')
  }
}
