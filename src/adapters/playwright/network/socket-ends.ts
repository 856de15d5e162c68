import type { WebSocketEnd } from '../../../ports/egress.ts'

/** How long the proxy may take to tell what the browser knows already. */
const LATE_MS = 250
/** Ends that nobody has asked for yet, and those who wait: a page may open any number of sockets. */
const MOST = 1_000

interface Waiting {
  timer: NodeJS.Timeout
  done(end: WebSocketEnd | null): void
}

/** How WebSockets ended, as the browser's proxy tells: of those that are not encrypted. */
export class SocketEnds {
  readonly #isWatched: boolean
  readonly #ends = new Map<string, WebSocketEnd>()
  readonly #waiting = new Map<string, Waiting>()

  /** `isWatched`: the browser has a proxy. */
  constructor(isWatched: boolean) {
    this.#isWatched = isWatched
  }

  heard(end: WebSocketEnd): void {
    if (this.#waiting.has(end.key)) return this.#settle(end.key, end)
    this.#ends.set(end.key, end)
    const [oldest] = this.#ends.keys()
    if (oldest !== undefined && this.#ends.size > MOST) this.#ends.delete(oldest)
  }

  /**
   * Calls back with how the WebSocket of the key ended: at once where it is known or nobody can tell, else within a bound.
   * Null: it is not known.
   */
  explain(key: string | undefined, url: string, done: (end: WebSocketEnd | null) => void): void {
    if (!this.#isWatched || key === undefined || !url.startsWith('ws:') || this.#waiting.has(key)) return done(null)
    const known = this.#ends.get(key)
    if (known) {
      this.#ends.delete(key)
      return done(known)
    }
    // After a turn that took long, what the proxy has told meanwhile is heard first.
    const late = () => setImmediate(() => this.#settle(key, null))
    this.#waiting.set(key, { timer: setTimeout(late, LATE_MS), done })
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined && this.#waiting.size > MOST) this.#settle(oldest, null)
  }

  /** Waits no more. */
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
