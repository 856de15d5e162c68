import type { Exchange, Outcome } from './network-exchange.ts'
import { abandoned, isPing, mayOutlivePage } from './network-outcome.ts'

/** How long a request of a document that was left may still be told its end, before it counts as aborted. */
const LEFT_DOCUMENT_MS = 2_000
/** The same for one that may go on without its document, of which the network process tells the response alone. */
const LEFT_FETCH_MS = 10_000
/** The same for one that was to deliver something: the browser itself gives it up after 30 s. */
const LEFT_DELIVERY_MS = 35_000

/** Requests whose documents were left, of which the browser may tell no end. */
export class LeftRequests {
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Calls back with the outcome of one that has not ended by then. */
  wait(exchange: Exchange, giveUp: (outcome: Outcome) => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      giveUp(abandoned(exchange, 'net::ERR_ABORTED', mayBeDelivered(exchange)))
    }, waitOf(exchange))
    this.#timers.add(timer)
  }

  dispose(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}

/** Of a fetch that asks for something, the response would have been told. */
function mayBeDelivered(exchange: Exchange): boolean {
  const { method } = exchange
  return isPing(exchange) || (mayOutlivePage(exchange) && method !== 'GET' && method !== 'HEAD')
}

function waitOf(exchange: Exchange): number {
  if (exchange.response !== null || !mayOutlivePage(exchange)) return LEFT_DOCUMENT_MS
  return mayBeDelivered(exchange) ? LEFT_DELIVERY_MS : LEFT_FETCH_MS
}
