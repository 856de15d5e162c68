import type { CdpMessage } from '../protocol/cdp-message.ts'

const MAX_MESSAGES = 500
const MAX_BYTES = 1024 * 1024

interface Waiting {
  message: CdpMessage
  bytes: number
}

/** High-volume events that Playwright handles synchronously. */
const isOfFlood = ({ method }: CdpMessage) =>
  method === 'Runtime.consoleAPICalled' || method?.startsWith('Network.') === true

/**
 * Messages for Playwright, each delivered in a task of its own, since its code may await a response before it is ready
 * for the next event. Two kinds of high-volume events that it handles synchronously share one task.
 */
export class PlaywrightInbox {
  readonly #hand: (message: CdpMessage) => void
  readonly #ready: () => void
  #queue: Waiting[] = []
  #start = 0
  #bytes = 0
  #nextTask: NodeJS.Immediate | null = null

  /** `ready`: `drain` can deliver the next one. */
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

  /** Reading must pause, or the messages that Playwright has not handled yet would grow without bound. */
  get isFull(): boolean {
    return this.#queue.length - this.#start >= MAX_MESSAGES || this.#bytes >= MAX_BYTES
  }

  /** Whether `drain` would deliver one now. */
  get canHand(): boolean {
    return !this.isEmpty && this.#nextTask === null
  }

  /** Delivers until that time (performance.now()); at least one message, if possible. */
  drain(until: number): void {
    while (this.canHand) {
      const { message, bytes } = this.#queue[this.#start]!
      this.#queue[this.#start] = HANDED
      this.#start += 1
      this.#bytes -= bytes
      if (this.#start === this.#queue.length || this.#start >= MAX_MESSAGES) {
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

/** Replaces a delivered message, to free its memory. */
const HANDED: Waiting = { message: {}, bytes: 0 }
