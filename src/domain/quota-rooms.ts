import type { Logger } from 'pino'
import type { FileRoom } from '../ports/file-room.ts'

/** Other servers on the same database keep and delete artifacts of the same owners, so what is used is read again. */
const REREAD_MS = 1_000

interface Owner {
  /** Bytes that the artifacts of the owner take; 0 until it was read for the first time. */
  used: number
  /** Bytes of the files that are being written. */
  reserved: number
  rooms: number
  /** Counts changes of `used` made here: an answer of the store from before one is stale. */
  changes: number
  readAt: number
  isReading: boolean
}

/** What files that are being written take of their owners' quotas, across the sessions of this process. */
export class QuotaRooms {
  readonly #quotaBytes: number
  readonly #readUsed: (owner: string) => Promise<number>
  readonly #logger: Logger
  readonly #owners = new Map<string, Owner>()

  /** `readUsed`: bytes that the artifacts of an owner take. */
  constructor(quotaBytes: number, readUsed: (owner: string) => Promise<number>, logger: Logger) {
    this.#quotaBytes = quotaBytes
    this.#readUsed = readUsed
    this.#logger = logger
  }

  open(ownerId: string): FileRoom {
    const owner = this.#owners.get(ownerId) ?? {
      used: 0,
      reserved: 0,
      rooms: 0,
      changes: 0,
      readAt: Number.NEGATIVE_INFINITY,
      isReading: false,
    }
    this.#owners.set(ownerId, owner)
    owner.rooms += 1
    this.#read(ownerId, owner)
    let size = 0
    let isReleased = false
    const limit = () => this.#quotaBytes - owner.used - (owner.reserved - size)
    return {
      get limit() {
        return limit()
      },
      grow: (bytes) => {
        if (isReleased) return true
        owner.reserved += bytes - size
        size = bytes
        this.#read(ownerId, owner)
        return size <= limit()
      },
      release: () => {
        if (isReleased) return
        isReleased = true
        owner.reserved -= size
        owner.rooms -= 1
        if (owner.rooms === 0) this.#owners.delete(ownerId)
      },
    }
  }

  /**
   * The artifacts of the owner take so many bytes more (negative: less). Call before the room of the file is released,
   * in the same turn, so that the bytes count once at any time.
   */
  used(ownerId: string, bytes: number): void {
    const owner = this.#owners.get(ownerId)
    if (!owner) return
    owner.used += bytes
    owner.changes += 1
  }

  #read(ownerId: string, owner: Owner): void {
    if (owner.isReading || performance.now() - owner.readAt < REREAD_MS) return
    owner.isReading = true
    void this.#reread(ownerId, owner)
  }

  /** Never rejects: while the store is away, what was read last counts. */
  async #reread(ownerId: string, owner: Owner): Promise<void> {
    const { changes } = owner
    try {
      const used = await this.#readUsed(ownerId)
      if (owner.changes === changes) {
        owner.used = used
        owner.readAt = performance.now()
      }
    } catch (error) {
      owner.readAt = performance.now()
      this.#logger.warn({ err: error }, 'how much an owner’s artifacts take could not be read')
    } finally {
      owner.isReading = false
    }
  }
}
