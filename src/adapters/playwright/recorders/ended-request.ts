import type { EntryBodies } from '../../../contract/entries/body.ts'
import type { Chain, ReceivedInfo, WireInfo } from './extra-info.ts'
import type { Exchange, Outcome } from './network-exchange.ts'

/** A request that has ended, and waits for what is told of it by other ways before it is written. */
export interface EndedRequest {
  exchange: Exchange
  outcome: Outcome
  endedAt: number
  chain: Chain
  /** Null: they are being fetched. */
  bodies: EntryBodies | null
  /** Headers that are not there by now will not be waited for. */
  isLate: boolean
  timer: NodeJS.Timeout
}

/** Whether its headers are there, or none are to come. */
export function isComplete({ exchange, outcome, chain }: EndedRequest): boolean {
  if (outcome.isDoubtful) return false
  return exchange.extraIndex === null || chain.received.length > exchange.extraIndex
}

export function receivedOf({ extraIndex }: Exchange, chain: Chain): ReceivedInfo | null {
  return extraIndex === null ? null : (chain.received[extraIndex] ?? null)
}

/** Its page is gone. False: how it ended does not depend on that. */
export function doubt(ended: EndedRequest): boolean {
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
