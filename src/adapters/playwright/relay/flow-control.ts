/** Commands without an answer at which a client is not read any more, and at which it is again. */
const MAX_WAITING = 2_000
const FEW_WAITING = 1_000
/** The browser is not slow where it has answered none for so long: these it holds, for a promise, a dialog or a debugger. */
const HELD_MS = 1_000
/** Held or not: more than these nobody means to get an answer to. */
const MAX_UNANSWERED = 20_000

/** A command without an answer. */
export interface Unanswered {
  /** The session with the browser that it was for; null: the one that stands for the browser. */
  sessionId: string | null
  /** Want the answer no more, for its session has ended. */
  sessionEnded(): void
  /** Want the answer no more, for nobody is there to read it. */
  disconnected(): void
}

/**
 * What one client has asked and the browser has not answered. A flood waits until the browser keeps up. What the browser
 * holds must not make the rest wait: the command that would set it free, and the end of the connection, come after it.
 */
export class FlowControl {
  readonly #changed: () => void
  readonly #underWay: (isUnderWay: boolean) => void
  readonly #unanswered = new Set<Unanswered>()
  #held = 0
  #isFull = false
  #timer: NodeJS.Timeout | undefined

  /** `changed`: isFull has. `underWay`: told when there is a command without an answer, and when there is none any more. */
  constructor(changed: () => void, underWay: (isUnderWay: boolean) => void) {
    this.#changed = changed
    this.#underWay = underWay
  }

  /** Whether to read no more of the client for now. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Whether the client asks without end for what is not answered. */
  get isHopeless(): boolean {
    return this.#unanswered.size >= MAX_UNANSWERED
  }

  add(command: Unanswered): void {
    this.#unanswered.add(command)
    if (this.#unanswered.size === 1) this.#underWay(true)
    if (!this.#isFull && this.#unanswered.size - this.#held >= MAX_WAITING) this.#setFull(true)
  }

  /** Its answer came. */
  remove(command: Unanswered): void {
    if (this.#unanswered.delete(command) && this.#unanswered.size === 0) this.#underWay(false)
    this.#held = Math.min(this.#held, this.#unanswered.size)
    if (!this.#isFull) return
    if (this.#unanswered.size - this.#held <= FEW_WAITING) this.#setFull(false)
    else this.#timer?.refresh()
  }

  /** The client is gone: no answer is wanted. */
  clear(): void {
    clearTimeout(this.#timer)
    for (const command of this.#unanswered) command.disconnected()
    if (this.#unanswered.size > 0) this.#underWay(false)
    this.#unanswered.clear()
  }

  /** The browser answers nothing that was asked of a session that has ended. */
  endSession(sessionId: string): void {
    for (const command of this.#unanswered) {
      if (command.sessionId !== sessionId) continue
      this.remove(command)
      command.sessionEnded()
    }
  }

  #setFull(isFull: boolean): void {
    this.#isFull = isFull
    clearTimeout(this.#timer)
    if (isFull) this.#timer = setTimeout(() => this.#forgive(), HELD_MS)
    this.#changed()
  }

  #forgive(): void {
    this.#held = this.#unanswered.size
    this.#setFull(false)
  }
}
