/** A batch becomes an entry after this many milliseconds, messages or UTF-16 code units, whichever comes first. */
const BATCH = { ms: 50, messages: 100, size: 64 * 1024 }

/** Limits on the messages in a session's log: a busy socket must not fill the database. Documented in docs/log.md. */
const MESSAGE_CAPS = {
  /** UTF-16 code units of texts, including a fixed number for each message's other members. */
  sizePerSecond: 1024 * 1024,
  burst: 4 * 1024 * 1024,
  /** Limit of the session: one continuously busy socket reaches it after 83 minutes. */
  entries: 100_000,
  size: 256 * 1024 * 1024,
}
/** Size of a stored message beside its text. */
const MEMBERS_SIZE = 64

export type MessageCaps = typeof MESSAGE_CAPS

/** The shared budget of all messages of one session. */
export class MessageBudget {
  readonly #caps: MessageCaps
  readonly #now: () => number
  #left: number
  #filledAt: number
  #entries = 0
  #size = 0

  constructor(caps: MessageCaps = MESSAGE_CAPS, now: () => number = () => performance.now()) {
    this.#caps = caps
    this.#now = now
    this.#left = caps.burst
    this.#filledAt = now()
  }

  /** Whether a message of the size may be stored; `beginsEntry`: it is the first of its entry. */
  take(size: number, beginsEntry: boolean): boolean {
    const { sizePerSecond, burst, entries, size: maxSize } = this.#caps
    if (this.#size + size > maxSize || (beginsEntry && this.#entries >= entries)) return false
    const now = this.#now()
    this.#left = Math.min(burst, this.#left + ((now - this.#filledAt) / 1000) * sizePerSecond)
    this.#filledAt = now
    if (this.#left < size) return false
    this.#left -= size
    this.#size += size
    if (beginsEntry) this.#entries += 1
    return true
  }
}

/** Messages of one connection, until they become an entry. */
export class MessageBatch<M> {
  readonly #budget: MessageBudget
  readonly #write: (messages: M[]) => void
  #messages: M[] = []
  #size = 0
  #timer: NodeJS.Timeout | undefined

  constructor(budget: MessageBudget, write: (messages: M[]) => void) {
    this.#budget = budget
    this.#write = write
  }

  /** Adds a message with that many code units, created only if there is room for it. Returns whether there is. */
  add(textSize: number, make: () => M): boolean {
    const size = textSize + MEMBERS_SIZE
    if (!this.#budget.take(size, this.#messages.length === 0)) return false
    this.#messages.push(make())
    this.#size += size
    if (this.#messages.length >= BATCH.messages || this.#size >= BATCH.size) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), BATCH.ms)
    return true
  }

  flush(): void {
    this.discard((messages) => this.#write(messages))
  }

  /** Drops the messages without an entry, after recording has stopped. */
  discard(then: (messages: M[]) => void = () => undefined): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const messages = this.#messages
    this.#messages = []
    this.#size = 0
    if (messages.length > 0) then(messages)
  }
}
