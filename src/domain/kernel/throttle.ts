import { owned } from '../../fault-owner.ts'

/** Calls back soon after a touch, but at most once per interval; the last touch is always followed by a call. */
export class Throttle {
  readonly #intervalMs: number
  readonly #callback: () => void
  /** The timer belongs to the creator, regardless of who calls touch. */
  readonly #onTime = owned(() => this.now())
  #timer: NodeJS.Timeout | null = null
  #calledAt = 0
  #closed = false

  constructor(intervalMs: number, callback: () => void) {
    this.#intervalMs = intervalMs
    this.#callback = callback
  }

  touch(): void {
    if (this.#timer || this.#closed) return
    const delayMs = Math.max(0, this.#calledAt + this.#intervalMs - Date.now())
    this.#timer = setTimeout(this.#onTime, delayMs)
  }

  /** Calls back at once; this covers earlier touches. */
  now(): void {
    if (this.#closed) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#calledAt = Date.now()
    this.#callback()
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#closed = true
  }
}
