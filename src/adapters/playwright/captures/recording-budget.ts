import type { FileRoom } from '../../../ports/file-room.ts'

/** A recording that is still smaller is not stopped: whether it fits is found out when it is kept. */
const SMALL_BYTES = 1024 * 1024
/** Stopping a recording adds some to it, and what is kept must fit. */
const ENOUGH = 0.9
/** How many times as much as since the last look it may add until it has stopped. */
const MOMENTUM = 2

/** The room of one recording that is being written, and whether it was stopped for want of it. */
export class RecordingBudget {
  readonly room: FileRoom
  #bytes = 0
  #isSpent = false

  constructor(room: FileRoom) {
    this.room = room
  }

  get isSpent(): boolean {
    return this.#isSpent
  }

  /** True once: when it takes nearly all that the owner's quota leaves, and has to be stopped. */
  spends(bytes: number): boolean {
    const growth = Math.max(0, bytes - this.#bytes)
    this.#bytes = bytes
    this.room.grow(bytes)
    const soon = bytes + MOMENTUM * growth
    if (this.#isSpent || bytes < SMALL_BYTES || soon < this.room.limit * ENOUGH) return false
    this.#isSpent = true
    return true
  }

  /** True once, unless it was stopped before. */
  spend(): boolean {
    if (this.#isSpent) return false
    this.#isSpent = true
    return true
  }

  /** Why it was stopped, for people. */
  describe(): string {
    const left = Math.max(0, this.room.limit)
    return `The recording was stopped at ${this.#bytes} bytes: the owner’s artifact quota leaves ${left} for it. Delete some artifacts.`
  }
}
