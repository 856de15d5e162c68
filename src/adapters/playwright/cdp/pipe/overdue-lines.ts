import { startsWith } from './message-text.ts'

/** Reading resumes once lines are late by less than this fraction of the limit. */
const RESUMED_AT = 0.1
/**
 * Of skipped lines, how many pass before the lateness of the next is checked; it is also checked after this many
 * milliseconds.
 */
const LOOK_EVERY = { lines: 100, milliseconds: 50 }

const LINE = '{"method":"Runtime.consoleAPICalled","params":{"type":"'
/** Types of calls that open and close groups, or print no line. */
const KEPT = /^(?:startGroup|endGroup|clear)/
/** Lines that the browser repeats when a session is opened. */
const OF_THE_PAST = Buffer.from('"executionContextId":0,')
/** Playwright's own signal to itself in setContent. */
const OF_PLAYWRIGHT = Buffer.from('--playwright--')
/** Written as 1.79e12. In texts of pages the quotes are escaped. */
const TIMESTAMP = /"timestamp":([\d.e+]+)/

/**
 * Whether the lines of a browser are so late that they are skipped unread. A browser that logs more than is read keeps
 * the rest in memory, without limit, and sends every response after all of it.
 */
export class OverdueLines {
  readonly #maxMs: number
  #isBehind = false
  #leftOut = 0
  #lookedAt = 0

  /** `maxMs`: how late a line may be read. */
  constructor(maxMs: number) {
    this.#maxMs = maxMs
  }

  /** A line was read. `behindMs`: how long the browser has sent more than its share of the server's time allows. */
  noteReceived(timestamp: number, behindMs: number): void {
    // A server that was suspended reads everything late, which must not count as an overload.
    this.#isBehind = behindMs > this.#maxMs && Date.now() - timestamp > this.#maxMs
  }

  /** Whether the message is a line to skip. */
  skips(message: Buffer): boolean {
    if (!this.#isBehind || !startsWith(message, LINE)) return false
    if (KEPT.test(message.toString('latin1', LINE.length, LINE.length + 12))) return false
    if (message.includes(OF_THE_PAST) || message.includes(OF_PLAYWRIGHT)) return false
    this.#leftOut += 1
    const now = performance.now()
    if (this.#leftOut % LOOK_EVERY.lines === 0 || now - this.#lookedAt > LOOK_EVERY.milliseconds) {
      this.#lookedAt = now
      const timestamp = Number(TIMESTAMP.exec(message.toString('latin1'))?.[1] ?? 0)
      this.#isBehind = Date.now() - timestamp > this.#maxMs * RESUMED_AT
    }
    return this.#isBehind
  }
}
