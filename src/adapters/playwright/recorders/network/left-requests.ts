import type { Exchange, Outcome } from '../exchanges/network-exchange.ts'
import { abandoned, mayBeDelivered, mayOutlivePage } from '../exchanges/network-outcome.ts'

/** How long the end of a request may still be reported after its document was left. */
export const LEFT_MS = {
  /** One that its renderer has dropped, or will drop. */
  dropped: 2_000,
  /** One that may continue without its document; the network process reports only its response. */
  fetch: 10_000,
  /** The same for one that delivers data: the browser itself cancels it after 30 s. */
  delivery: 35_000,
} as const

/** Requests whose documents were left; the browser may not report their ends. */
export class LeftRequests {
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Calls back with the outcome of one that has not ended by then. */
  wait(exchange: Exchange, waitMs: number, giveUp: (outcome: Outcome) => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      giveUp(abandoned(exchange, 'net::ERR_ABORTED', mayBeDelivered(exchange)))
    }, waitMs)
    this.#timers.add(timer)
  }

  dispose(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}

export function leftMsOf(exchange: Exchange): number {
  if (exchange.response !== null || !mayOutlivePage(exchange)) return LEFT_MS.dropped
  return mayBeDelivered(exchange) ? LEFT_MS.delivery : LEFT_MS.fetch
}
