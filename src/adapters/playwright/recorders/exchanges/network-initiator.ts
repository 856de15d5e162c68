import type { Protocol } from 'devtools-protocol'
import { TEXT_LIMITS, type InitiatorType, type RequestInitiator } from '../../../../ports/log/log-entry.ts'
import type { StackTrace } from '../../cdp/protocol/cdp-events.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import { formatStack } from '../../cdp/protocol/stack-text.ts'

const TYPES: Readonly<Record<string, InitiatorType>> = {
  parser: 'PARSER',
  script: 'SCRIPT',
  preload: 'PRELOAD',
  preflight: 'PREFLIGHT',
  SignedExchange: 'SIGNED_EXCHANGE',
  FedCM: 'FED_CM',
}

/** The initiator of a request; `causeOf` maps the browser's request ids to our numbers. */
export function initiatorOf(initiator: Protocol.Network.Initiator | undefined): RequestInitiator | null {
  if (!initiator) return null
  const stack = formatStack(initiator.stack)
  const call = innermostCall(initiator.stack)
  const place = initiator.url === undefined ? call : initiator
  return {
    type: TYPES[initiator.type] ?? 'OTHER',
    url: place?.url === undefined ? null : cutUrl(place.url),
    line: fromOne(place?.lineNumber),
    column: fromOne(place?.columnNumber),
    stack: stack === null ? null : cutText(stack, TEXT_LIMITS.initiatorStack),
    // The request that caused this one may be reported later.
    requestId: null,
  }
}

function innermostCall(stack: StackTrace | undefined) {
  for (let part = stack; part; part = part.parent) {
    const [call] = part.callFrames
    if (call) return call
  }
  return undefined
}

const fromOne = (place: number | undefined) => (place === undefined || place < 0 ? null : place + 1)
