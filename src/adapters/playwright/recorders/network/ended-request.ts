import type { EntryBodies } from '../../../../contract/entries/body.ts'
import type { Chain, ReceivedInfo, WireInfo } from '../exchanges/extra-info.ts'
import type { Exchange, Outcome } from '../exchanges/network-exchange.ts'

/** A request that has ended, and waits for what is told of it by other ways before it is written. */
export interface EndedRequest {
  exchange: Exchange
  outcome: Outcome
  endedAt: number
  chain: Chain
  /** Whether the request that caused it is known, or none is to be. */
  isCauseKnown(): boolean
}

interface Waiting {
  ended: EndedRequest
  /** Null: they are being fetched. */
  bodies: EntryBodies | null
  /** Headers that are not there by now will not be waited for. */
  isLate: boolean
  timer: NodeJS.Timeout
}

/** How long a request that has ended waits for its headers, which the network process tells by a way of their own. */
const LATE_HEADERS_MS = 500

/** Requests that have ended, until their headers and bodies are there, or late. */
export class EndedRequests {
  readonly #write: (ended: EndedRequest, bodies: EntryBodies) => void
  readonly #waiting = new Set<Waiting>()

  constructor(write: (ended: EndedRequest, bodies: EntryBodies) => void) {
    this.#write = write
  }

  add(ended: EndedRequest, bodies: EntryBodies | Promise<EntryBodies>): void {
    const waiting: Waiting = {
      ended,
      bodies: bodies instanceof Promise ? null : bodies,
      isLate: false,
      timer: setTimeout(() => this.#headersLate(waiting), LATE_HEADERS_MS),
    }
    this.#waiting.add(waiting)
    if (bodies instanceof Promise) void this.#awaitBodies(waiting, bodies)
    else this.#writeIfComplete(waiting)
  }

  /** More headers of the chain have come. */
  received(chain: Chain): void {
    for (const waiting of this.#waiting) if (waiting.ended.chain === chain) this.#writeIfComplete(waiting)
  }

  /** Another request is known. */
  begun(): void {
    for (const waiting of this.#waiting) if (waiting.ended.exchange.causedBy !== null) this.#writeIfComplete(waiting)
  }

  /** The pages of some are gone, on which may depend how those ended that are in doubt. `isOver`: no headers are to come. */
  doubt(isLost: (exchange: Exchange) => boolean, isOver: boolean): void {
    for (const waiting of this.#waiting) {
      if (isLost(waiting.ended.exchange) && doubt(waiting.ended) && isOver) this.#headersLate(waiting)
    }
  }

  /** Waits for headers no more. Those that wait for their bodies are written as soon as they are there. */
  hurry(): void {
    for (const waiting of this.#waiting) this.#headersLate(waiting)
  }

  dispose(): void {
    for (const { timer } of this.#waiting) clearTimeout(timer)
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
    const { ended, bodies, isLate, timer } = waiting
    if (bodies === null || !(isLate || isComplete(ended)) || !this.#waiting.delete(waiting)) return
    clearTimeout(timer)
    this.#write(ended, bodies)
  }
}

export function receivedOf({ extraIndex }: Exchange, chain: Chain): ReceivedInfo | null {
  return extraIndex === null ? null : (chain.received[extraIndex] ?? null)
}

/** Whether its headers are there, or none are to come. */
function isComplete({ exchange, outcome, chain, isCauseKnown }: EndedRequest): boolean {
  if (outcome.isDoubtful || !isCauseKnown()) return false
  return exchange.extraIndex === null || chain.received.length > exchange.extraIndex
}

/** Its page is gone. False: how it ended does not depend on that. */
function doubt(ended: EndedRequest): boolean {
  const { exchange, chain, outcome } = ended
  if (!outcome.isDoubtful) return false
  const isUnknown = receivedOf(exchange, chain) === null
  ended.outcome = { failure: null, isUnknown, endTimestamp: null, encodedBytes: null }
  return true
}

/** The network process tells of a response that the page is not told of; nobody is given its body. */
export function withHidden(
  bodies: EntryBodies,
  { response }: Exchange,
  { endTimestamp }: Outcome,
  { received }: WireInfo,
): EntryBodies {
  if (response !== null || received === null) return bodies
  return { ...bodies, responseBodyOmitted: endTimestamp === null ? 'STREAMING' : 'OPAQUE' }
}
