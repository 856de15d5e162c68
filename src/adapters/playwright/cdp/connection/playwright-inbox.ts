import type { CdpMessage } from '../protocol/cdp-message.ts'

const MOST_MESSAGES = 500
const MOST_BYTES = 1024 * 1024

interface Waiting {
  message: CdpMessage
  bytes: number
}

/** Floods that Playwright handles without waiting for anything. */
const isOfFlood = ({ method }: CdpMessage) =>
  method === 'Runtime.consoleAPICalled' || method?.startsWith('Network.') === true

/**
 * Messages on their way to Playwright, each in a task of its own where its code may await an answer before it is ready
 * for the next event. Floods are of two kinds that it handles without waiting; those are handed on in the same task.
 */
export class PlaywrightInbox {
  readonly #hand: (message: CdpMessage) => void
  readonly #ready: () => void
  #queue: Waiting[] = []
  #start = 0
  #bytes = 0
  #nextTask: NodeJS.Immediate | null = null

  /** `ready`: `drain` can hand on the next one. */
  constructor(hand: (message: CdpMessage) => void, ready: () => void) {
    this.#hand = hand
    this.#ready = ready
  }

  add(message: CdpMessage, bytes: number): void {
    this.#queue.push({ message, bytes })
    this.#bytes += bytes
  }

  get isEmpty(): boolean {
    return this.#start === this.#queue.length
  }

  /** No more is to be read for now, else what Playwright has not handled yet would grow without bound. */
  get isFull(): boolean {
    return this.#queue.length - this.#start >= MOST_MESSAGES || this.#bytes >= MOST_BYTES
  }

  /** Whether `drain` would hand one on now. */
  get canHand(): boolean {
    return !this.isEmpty && this.#nextTask === null
  }

  /** Until performance.now() is so late; at least one, where it can. */
  drain(until: number): void {
    while (this.canHand) {
      const { message, bytes } = this.#queue[this.#start]!
      this.#queue[this.#start] = HANDED
      this.#start += 1
      this.#bytes -= bytes
      if (this.#start === this.#queue.length || this.#start >= MOST_MESSAGES) {
        this.#queue = this.#queue.slice(this.#start)
        this.#start = 0
      }
      if (!isOfFlood(message)) {
        this.#nextTask = setImmediate(() => {
          this.#nextTask = null
          this.#ready()
        })
      }
      this.#hand(message)
      if (performance.now() >= until) return
    }
  }
}

/** In the place of a message that was handed on, so that it is not kept. */
const HANDED: Waiting = { message: {}, bytes: 0 }
