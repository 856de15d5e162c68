/** Commands without an answer at which a client is not read any more, and at which it is again. */
const MOST_WAITING = 2_000
const FEW_WAITING = 1_000
/** The browser is not slow where it has answered none for so long: these it holds, for a promise, a dialog or a debugger. */
const HELD_MS = 1_000
/** Held or not: more than these nobody means to get an answer to. */
const MOST_UNANSWERED = 20_000

/**
 * What one client has asked and the browser has not answered. A flood waits until the browser keeps up. What the browser
 * holds must not make the rest wait: the command that would set it free, and the end of the connection, come after it.
 */
export class Backlog {
  readonly #changed: () => void
  readonly #forget = new Set<() => void>()
  #held = 0
  #isFull = false
  #timer: NodeJS.Timeout | undefined

  /** `changed`: isFull has. */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** Whether to read no more of the client for now. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Whether the client asks without end for what is not answered. */
  get isHopeless(): boolean {
    return this.#forget.size >= MOST_UNANSWERED
  }

  /** `forget`: how to want the answer no more. */
  add(forget: () => void): void {
    this.#forget.add(forget)
    if (!this.#isFull && this.#forget.size - this.#held >= MOST_WAITING) this.#setFull(true)
  }

  /** Its answer came. */
  remove(forget: () => void): void {
    this.#forget.delete(forget)
    this.#held = Math.min(this.#held, this.#forget.size)
    if (!this.#isFull) return
    if (this.#forget.size - this.#held <= FEW_WAITING) this.#setFull(false)
    else this.#timer?.refresh()
  }

  /** The client is gone: no answer is wanted. */
  clear(): void {
    clearTimeout(this.#timer)
    for (const forget of this.#forget) forget()
    this.#forget.clear()
  }

  #setFull(isFull: boolean): void {
    this.#isFull = isFull
    clearTimeout(this.#timer)
    if (isFull) this.#timer = setTimeout(() => this.#forgive(), HELD_MS)
    this.#changed()
  }

  #forgive(): void {
    this.#held = this.#forget.size
    this.#setFull(false)
  }
}
