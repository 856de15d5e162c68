import type { WebSocketEnd } from '../../../ports/egress/egress.ts'

/** How long after the browser the proxy may report the end. */
const LATE_MS = 250
/** Most ends that were not asked for yet, and most waiters: a page may open any number of sockets. */
const MAX = 1_000

interface Waiting {
  timer: NodeJS.Timeout
  done(end: WebSocketEnd | null): void
}

/** How unencrypted WebSockets ended, as reported by the browser's proxy. */
export class SocketEnds {
  readonly #isWatched: boolean
  readonly #ends = new Map<string, WebSocketEnd>()
  readonly #waiting = new Map<string, Waiting>()

  /** `isWatched`: the browser has a proxy. */
  constructor(isWatched: boolean) {
    this.#isWatched = isWatched
  }

  received(end: WebSocketEnd): void {
    if (this.#waiting.has(end.key)) return this.#settle(end.key, end)
    this.#ends.set(end.key, end)
    const [oldest] = this.#ends.keys()
    if (oldest !== undefined && this.#ends.size > MAX) this.#ends.delete(oldest)
  }

  /**
   * Calls back with how the WebSocket with this key ended: at once if that is known or cannot be known, otherwise
   * within a bound. Null: unknown.
   */
  explain(key: string | undefined, url: string, done: (end: WebSocketEnd | null) => void): void {
    if (!this.#isWatched || key === undefined || !url.startsWith('ws:') || this.#waiting.has(key)) return done(null)
    const known = this.#ends.get(key)
    if (known) {
      this.#ends.delete(key)
      return done(known)
    }
    // After a long turn, reports of the proxy received meanwhile are processed first.
    const late = () => setImmediate(() => this.#settle(key, null))
    this.#waiting.set(key, { timer: setTimeout(late, LATE_MS), done })
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined && this.#waiting.size > MAX) this.#settle(oldest, null)
  }

  /** Stops waiting. */
  settle(): void {
    for (const key of this.#waiting.keys()) this.#settle(key, null)
  }

  #settle(key: string, end: WebSocketEnd | null): void {
    const waiting = this.#waiting.get(key)
    if (!waiting) return
    this.#waiting.delete(key)
    clearTimeout(waiting.timer)
    waiting.done(end)
  }
}
