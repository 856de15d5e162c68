import type { SpaceReservation } from '../../../ports/artifacts/space-reservation.ts'

/** A smaller recording is not stopped: whether it fits is checked when it is stored. */
const SMALL_BYTES = 1024 * 1024
/** Stopping a recording adds some bytes, and the file must still fit. */
const ENOUGH = 0.9
/** Expected growth until it has stopped, as a multiple of the growth since the last check. */
const MOMENTUM = 2

/** The space of one recording in progress, and whether it was stopped for lack of space. */
export class RecordingBudget {
  readonly reservation: SpaceReservation
  #bytes = 0
  #isSpent = false

  constructor(reservation: SpaceReservation) {
    this.reservation = reservation
  }

  get isSpent(): boolean {
    return this.#isSpent
  }

  /** True once: when it has nearly used up the rest of the owner's quota, and has to be stopped. */
  spends(bytes: number): boolean {
    const growth = Math.max(0, bytes - this.#bytes)
    this.#bytes = bytes
    this.reservation.grow(bytes)
    const soon = bytes + MOMENTUM * growth
    if (this.#isSpent || bytes < SMALL_BYTES || soon < this.reservation.limit * ENOUGH) return false
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
    const left = Math.max(0, this.reservation.limit)
    return `The recording was stopped at ${this.#bytes} bytes: the owner’s artifact quota leaves ${left} for it. Delete some artifacts.`
  }
}
