import type { Logger } from 'pino'
import { TabwireError } from '../kernel/errors.ts'

/** There is too little space for another session and its log. */
export class StorageFull extends TabwireError {
  override readonly code = 'STORAGE_FULL'

  constructor(message: string) {
    super(message, { retryAfterSeconds: RETRY_AFTER_SECONDS })
  }
}

export interface SpaceMarks {
  /** Below this, no session starts and no artifact is stored. */
  lowBytes: number
  /** From here on sessions start again: above the limit, where each could be the last. */
  enoughBytes: number
  /**
   * Below this the log pauses as well. The embedded database needs the rest for itself: a failed write during a
   * checkpoint ends it, and it needs space to restart.
   */
  reservedBytes: number
  /** This part of the reserve is not even for the ends of logs, which take a few kilobytes each. */
  untouchedBytes: number
}

const MIB = 1024 * 1024

/**
 * A segment of the write-ahead log takes 16 MiB: the reserve has space for one, and for a checkpoint's writes beside
 * it. Measured with pages that log 8 MB/s until the disk is full: the reserve was kept to within 3 MiB.
 */
export const SPACE_MARKS: SpaceMarks = {
  lowBytes: 48 * MIB,
  enoughBytes: 64 * MIB,
  reservedBytes: 24 * MIB,
  untouchedBytes: 4 * MIB,
}

const RETRY_AFTER_SECONDS = 10
const LOOK_EVERY_MS = 2_000
/** With this much free space, it cannot be used up between two checks. */
const PLENTY_BYTES = 512 * MIB
/** With less than plenty, an older measurement is outdated. */
const FRESH_MS = 100

const megabytes = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`

/** Tracks the free space of the server's data, and what may still be done with it. */
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

  /** Measures now. Never rejects: if a directory cannot be checked, its space is unknown. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => {
      this.#looking = null
    }))
  }

  /** Why no session can start, for people; null: there is enough space. */
  get problem(): string | null {
    if (!this.#isLow) return null
    return `only ${megabytes(this.#free)} are free where data is stored, of the ${megabytes(this.#marks.enoughBytes)} that are needed to start sessions`
  }

  /** Throws StorageFull. */
  async requireSpace(): Promise<void> {
    if (this.#isStale) await this.look()
    if (!this.#isLow) return
    const { enoughBytes } = this.#marks
    throw new StorageFull(
      `The server's disk is almost full: ${megabytes(this.#free)} are free, ${megabytes(enoughBytes)} are needed. Delete artifacts, or free disk space.`,
    )
  }

  /** Max size of a file. */
  async spaceForFiles(): Promise<number> {
    if (this.#isStale) await this.look()
    return Math.max(0, this.#free - this.#marks.lowBytes)
  }

  /** Whether log entries may still be written, or the last ones of a log. Synchronous if there is plenty of space. */
  hasSpaceForLogs(isEnd = false): boolean | Promise<boolean> {
    const hasSpace = () => this.#free >= (isEnd ? this.#marks.untouchedBytes : this.#marks.reservedBytes)
    return this.#isStale ? this.look().then(hasSpace) : hasSpace()
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
      this.#logger.warn({ err: error }, 'the free disk space could not be measured')
      return
    }
    const { lowBytes, enoughBytes } = this.#marks
    const isLow = this.#free < (this.#isLow ? enoughBytes : lowBytes)
    if (isLow === this.#isLow) return
    this.#isLow = isLow
    const freeBytes = this.#free
    if (isLow)
      this.#logger.error({ freeBytes, lowBytes }, 'the disk is almost full: no session starts until space is freed')
    else this.#logger.info({ freeBytes }, 'the disk has space again: sessions can start')
  }
}
