import { startLateTimer } from '../../../../async/late-timer.ts'
import type { EntryBodies } from '../../../../contract/entries/body.ts'
import type { Chain, ReceivedInfo, ExtraInfo } from '../exchanges/extra-info.ts'
import type { Exchange, Outcome } from '../exchanges/network-exchange.ts'

/** A request that has ended, and waits for data from other sources before it is written. */
export interface EndedRequest {
  exchange: Exchange
  outcome: Outcome
  endedAt: number
  chain: Chain
  /** Whether the request that caused it is known, or will not be reported. */
  isCauseKnown(): boolean
}

interface Waiting {
  ended: EndedRequest
  /** Null: they are being fetched. */
  bodies: EntryBodies | null
  /** It no longer waits for missing headers. */
  isLate: boolean
  stopTimer: () => void
}

/**
 * How long an ended request waits for its headers, which the network process reports separately; then they count as
 * missing once that process was heard, for all of it may be slow.
 */
const LATE_HEADERS_MS = 500

/** Requests that have ended, until their headers and bodies are complete, or late. */
export class EndedRequests {
  readonly #write: (ended: EndedRequest, bodies: EntryBodies) => void
  readonly #whenHeard: (sessionId: string) => Promise<void>
  readonly #waiting = new Set<Waiting>()

  /**
   * `whenHeard`: resolves once all that the network process had reported before the call was read, within a bound; asked
   * on a session of the request. Never rejects.
   */
  constructor(
    write: (ended: EndedRequest, bodies: EntryBodies) => void,
    whenHeard: (sessionId: string) => Promise<void>,
  ) {
    this.#write = write
    this.#whenHeard = whenHeard
  }

  add(ended: EndedRequest, bodies: EntryBodies | Promise<EntryBodies>): void {
    const waiting: Waiting = {
      ended,
      bodies: bodies instanceof Promise ? null : bodies,
      isLate: false,
      stopTimer: startLateTimer(() => {
        void this.#whenHeard(ended.exchange.session.sessionId).then(() => this.#headersLate(waiting))
      }, LATE_HEADERS_MS),
    }
    this.#waiting.add(waiting)
    if (bodies instanceof Promise) void this.#awaitBodies(waiting, bodies)
    else this.#writeIfComplete(waiting)
  }

  /** More headers of the chain have arrived. */
  received(chain: Chain): void {
    for (const waiting of this.#waiting) if (waiting.ended.chain === chain) this.#writeIfComplete(waiting)
  }

  /** Another request is known. */
  begun(): void {
    for (const waiting of this.#waiting) if (waiting.ended.exchange.causedBy !== null) this.#writeIfComplete(waiting)
  }

  /** The pages of some are gone, which may decide doubtful outcomes. `isOver`: no more headers will arrive. */
  doubt(isLost: (exchange: Exchange) => boolean, isOver: boolean): void {
    for (const waiting of this.#waiting) {
      if (isLost(waiting.ended.exchange) && doubt(waiting.ended) && isOver) this.#headersLate(waiting)
    }
  }

  /** Stops waiting for headers. Requests that wait for their bodies are written as soon as these are complete. */
  hurry(): void {
    for (const waiting of this.#waiting) this.#headersLate(waiting)
  }

  dispose(): void {
    for (const { stopTimer } of this.#waiting) stopTimer()
    this.#waiting.clear()
  }

  async #awaitBodies(waiting: Waiting, bodies: Promise<EntryBodies>): Promise<void> {
    waiting.bodies = await bodies
    this.#writeIfComplete(waiting)
  }

  #headersLate(waiting: Waiting): void {
    waiting.isLate = true
    this.#writeIfComplete(waiting)
  }

  #writeIfComplete(waiting: Waiting): void {
    const { ended, bodies, isLate, stopTimer } = waiting
    if (bodies === null || !(isLate || isComplete(ended)) || !this.#waiting.delete(waiting)) return
    stopTimer()
    this.#write(ended, bodies)
  }
}

export function receivedOf({ extraIndex }: Exchange, chain: Chain): ReceivedInfo | null {
  return extraIndex === null ? null : (chain.received[extraIndex] ?? null)
}

/** Whether its headers have arrived, or none are expected. */
function isComplete({ exchange, outcome, chain, isCauseKnown }: EndedRequest): boolean {
  if (outcome.isDoubtful || !isCauseKnown()) return false
  return exchange.extraIndex === null || chain.received.length > exchange.extraIndex
}

/** Its page is gone. False: its outcome does not depend on that. */
function doubt(ended: EndedRequest): boolean {
  const { exchange, chain, outcome } = ended
  if (!outcome.isDoubtful) return false
  const isUnknown = receivedOf(exchange, chain) === null
  ended.outcome = { failure: null, isUnknown, endTimestamp: null, encodedBytes: null }
  return true
}

/** Adds a response that the network process reports and the page does not see; its body is not available. */
export function withHidden(
  bodies: EntryBodies,
  { response }: Exchange,
  { endTimestamp }: Outcome,
  { received }: ExtraInfo,
): EntryBodies {
  if (response !== null || received === null) return bodies
  return { ...bodies, responseBodyOmitted: endTimestamp === null ? 'STREAMING' : 'OPAQUE' }
}
