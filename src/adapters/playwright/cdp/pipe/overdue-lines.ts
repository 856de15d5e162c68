import { startsWith } from './message-text.ts'

/** Lines are heard again once they come this much less late than is too late. */
const RESUMED_AT = 0.1
/** Of those that are left out, how often one is looked at for how late it is; and after so many milliseconds the next is. */
const LOOK_EVERY = { lines: 100, milliseconds: 50 }

const LINE = '{"method":"Runtime.consoleAPICalled","params":{"type":"'
/** Types of what opens and closes groups, or writes no line. */
const KEPT = /^(?:startGroup|endGroup|clear)/
/** What the browser repeats when a session is opened. */
const OF_THE_PAST = Buffer.from('"executionContextId":0,')
/** Playwright's own signal to itself in setContent. */
const OF_PLAYWRIGHT = Buffer.from('--playwright--')
/** Written as 1.79e12. In texts of pages the quotes are escaped. */
const TIMESTAMP = /"timestamp":([\d.e+]+)/

/**
 * Whether the lines of a browser come so late that they are left out unread: one that logs more than is heard of it keeps
 * the rest in memory, without end, and whatever is asked of it is answered after all that.
 */
export class OverdueLines {
  readonly #mostMs: number
  #isBehind = false
  #leftOut = 0
  #lookedAt = 0

  /** `mostMs`: how late a line may be heard. */
  constructor(mostMs: number) {
    this.#mostMs = mostMs
  }

  /** A line was heard. `behindMs`: how long the browser has had more to say than its share of the server's time. */
  heard(timestamp: number, behindMs: number): void {
    // A server that stood still hears everything late, and is no sooner overrun for it.
    this.#isBehind = behindMs > this.#mostMs && Date.now() - timestamp > this.#mostMs
  }

  /** Whether the message is a line that is left out. */
  leavesOut(message: Buffer): boolean {
    if (!this.#isBehind || !startsWith(message, LINE)) return false
    if (KEPT.test(message.toString('latin1', LINE.length, LINE.length + 12))) return false
    if (message.includes(OF_THE_PAST) || message.includes(OF_PLAYWRIGHT)) return false
    this.#leftOut += 1
    const now = performance.now()
    if (this.#leftOut % LOOK_EVERY.lines === 0 || now - this.#lookedAt > LOOK_EVERY.milliseconds) {
      this.#lookedAt = now
      const timestamp = Number(TIMESTAMP.exec(message.toString('latin1'))?.[1] ?? 0)
      this.#isBehind = Date.now() - timestamp > this.#mostMs * RESUMED_AT
    }
    return this.#isBehind
  }
}
