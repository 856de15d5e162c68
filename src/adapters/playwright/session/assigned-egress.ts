import type { FaultOwner } from '../../../fault-owner.ts'
import type { ConnectionOutcome, EgressPolicy, WebSocketEnd } from '../../../ports/egress/egress.ts'
import type { OpenBrowser } from '../launch/open-browser.ts'
import { ConnectionOutcomes } from '../network/connection-outcomes.ts'

/** The policy of a browser's proxy; `assigned`: resolves once it is in force. */
export interface AssignedEgress {
  connections: ConnectionOutcomes
  assigned: Promise<void> | undefined
}

export function assignEgress({ process, faults }: OpenBrowser, policy: EgressPolicy): AssignedEgress {
  const connections = new ConnectionOutcomes(process.proxy?.port ?? null, policy)
  const assigned = process.proxy?.assign(
    policy,
    receivedBy((outcome: ConnectionOutcome) => connections.received(outcome), faults),
    receivedBy((end: WebSocketEnd) => connections.webSockets.received(end), faults),
  )
  // Callers that await it handle the rejection; if the browser proves unusable, there are none.
  assigned?.catch(() => undefined)
  return { connections, assigned }
}

/** Assigns a fault owner to the handling of a proxy's reports. */
function receivedBy<T>(receive: (reported: T) => void, owner: FaultOwner): (reported: T) => void {
  return (reported) => {
    try {
      receive(reported)
    } catch (error) {
      owner.fail(error)
    }
  }
}
