import type { Protocol } from 'devtools-protocol'
import type { ProtocolMapping } from 'devtools-protocol/types/protocol-mapping.js'

export type TargetInfo = Protocol.Target.TargetInfo
export type RemoteObject = Protocol.Runtime.RemoteObject
export type ObjectPreview = Protocol.Runtime.ObjectPreview
export type PropertyPreview = Protocol.Runtime.PropertyPreview
export type StackTrace = Protocol.Runtime.StackTrace
export type CdpResponse = Protocol.Network.Response

/**
 * Parameters of the events of the Chrome DevTools Protocol, as documented; a browser may send anything. Timestamps of
 * the Network domain are monotonic seconds; those of Runtime and Log are milliseconds since the epoch.
 */
export type CdpEvents = {
  [M in keyof ProtocolMapping.Events]: ProtocolMapping.Events[M] extends [infer P] ? P : object
}

export type CdpEvent = keyof CdpEvents
