import type { Logger } from 'pino'
import type { SpaceReservation } from '../../ports/artifacts/space-reservation.ts'

/** Other servers on the same database store and delete artifacts of the same owners, so the usage is read again. */
const REREAD_MS = 1_000
/** Max outdated reads before one is accepted all the same: it overestimates the usage, never underestimates it. */
const MAX_READS = 10

interface Owner {
  /** Bytes of the owner's artifacts; 0 until the first read. */
  used: number
  /** Bytes of the files that are being written. */
  reserved: number
  reservations: number
  /** Artifacts whose rows are being inserted: a read of the store may or may not include them. */
  inserting: number
  /** Counts changes of `used` made here: a read that started before one is outdated. */
  changes: number
  readAt: number
  isReading: boolean
}

/** The share of their owners' quotas that files being written take, across the sessions of this process. */
export class QuotaReservations {
  readonly #quotaBytes: number
  readonly #readUsed: (owner: string) => Promise<number>
  readonly #logger: Logger
  readonly #owners = new Map<string, Owner>()

  /** `readUsed`: bytes of an owner's artifacts. */
  constructor(quotaBytes: number, readUsed: (owner: string) => Promise<number>, logger: Logger) {
    this.#quotaBytes = quotaBytes
    this.#readUsed = readUsed
    this.#logger = logger
  }

  open(ownerId: string): SpaceReservation {
    const owner = this.#owners.get(ownerId) ?? {
      used: 0,
      reserved: 0,
      reservations: 0,
      inserting: 0,
      changes: 0,
      readAt: Number.NEGATIVE_INFINITY,
      isReading: false,
    }
    this.#owners.set(ownerId, owner)
    owner.reservations += 1
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
        owner.reservations -= 1
        if (owner.reservations === 0) this.#owners.delete(ownerId)
      },
    }
  }

  /** The same, once the usage of the owner is known. Throws what `readUsed` throws. */
  async openKnown(ownerId: string): Promise<SpaceReservation> {
    const reservation = this.open(ownerId)
    const owner = this.#owners.get(ownerId)!
    try {
      for (let reads = 1; owner.readAt === Number.NEGATIVE_INFINITY || reads === 1; reads += 1) {
        await this.#readOnce(ownerId, owner, reads === MAX_READS)
      }
      return reservation
    } catch (error) {
      reservation.release()
      throw error
    }
  }

  /**
   * The row of an artifact is about to be inserted, while a reservation of its owner is open. Call the returned function with
   * its bytes, or 0 if it was not inserted, before the reservation is released, in the same turn.
   */
  beginInsert(ownerId: string): (bytes: number) => void {
    const owner = this.#owners.get(ownerId)
    if (owner) owner.inserting += 1
    return (bytes) => {
      if (owner) owner.inserting -= 1
      this.used(ownerId, bytes)
    }
  }

  /**
   * The usage of the owner's artifacts changes by this many bytes. Call before the reservation of the file is released, in the
   * same turn, so that the bytes count exactly once at any time.
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

  /** Never rejects: while the store is unavailable, the latest read counts. */
  async #reread(ownerId: string, owner: Owner): Promise<void> {
    try {
      await this.#readOnce(ownerId, owner, false)
    } catch (error) {
      owner.readAt = performance.now()
      this.#logger.warn({ err: error }, 'the artifact usage of an owner could not be read')
    } finally {
      owner.isReading = false
    }
  }

  /** A read that may have missed a change is ignored, unless it is trusted. */
  async #readOnce(ownerId: string, owner: Owner, isTrusted: boolean): Promise<void> {
    const { changes, inserting } = owner
    const used = await this.#readUsed(ownerId)
    if (!isTrusted && (owner.changes !== changes || inserting > 0 || owner.inserting > 0)) return
    owner.used = used
    owner.readAt = performance.now()
  }
}
