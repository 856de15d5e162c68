import type {
  WebSocketDirection,
  WebSocketMessage,
  WebSocketOpcode,
} from '../../../../contract/entries/web-socket-events.ts'
import { isTime } from '../../../../contract/entries/members.ts'
import { TEXT_LIMITS } from '../../../../ports/log/log-entry.ts'
import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { startOfText } from '../../cdp/protocol/cut-text.ts'

type Frame = CdpEvents['Network.webSocketFrameSent']['response']

/** Redacts the text of a message before it is cut. */
export type MessageRedaction = (text: string) => string

const OPCODES: Readonly<Record<number, WebSocketOpcode>> = { 1: 'TEXT', 2: 'BINARY' }
const LIMIT = TEXT_LIMITS.message

/** Number of code units stored for a text. */
export const storedSize = (text: string): number => Math.min(text.length, LIMIT)

/** The stored start of a message's text. A secret may be cut in two by the limit, so twice as much is redacted. */
export function storedText(text: string, redact: MessageRedaction): { text: string; truncated: boolean } {
  const redacted = redact(startOfText(text, 2 * LIMIT))
  return { text: startOfText(redacted, LIMIT), truncated: redacted.length > LIMIT || text.length > 2 * LIMIT }
}

export function toMessage(
  frame: Frame,
  direction: WebSocketDirection,
  at: number,
  redact: MessageRedaction,
): WebSocketMessage {
  const { opcode, payloadData } = frame
  const name = OPCODES[opcode] ?? 'OTHER'
  if (name === 'TEXT') {
    const sizeBytes = Buffer.byteLength(payloadData)
    return { at, direction, opcode: name, sizeBytes, base64: null, ...storedText(payloadData, redact) }
  }
  // The limit is a multiple of four: only whole groups are kept.
  const base64 = startOfText(payloadData, LIMIT)
  const sizeBytes = Buffer.byteLength(payloadData, 'base64')
  return { at, direction, opcode: name, sizeBytes, text: null, base64, truncated: payloadData.length > LIMIT }
}

/** Timestamps of the protocol are monotonic seconds; this is the offset of the wall clock in milliseconds. */
export class WallClock {
  #offset: number | null = null

  /** The browser reported one moment in both. */
  set(wallTime: number, timestamp: number): void {
    const offset = (wallTime - timestamp) * 1000
    if (Number.isFinite(offset)) this.#offset = offset
  }

  at(timestamp: number): number {
    const at = this.#offset === null ? Number.NaN : Math.round(this.#offset + timestamp * 1000)
    return isTime(at) ? at : Date.now()
  }
}
