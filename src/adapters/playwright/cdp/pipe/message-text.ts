/**
 * Reads the members needed for relaying off the ends of a message, so that a response of twenty megabytes is neither
 * parsed nor copied. Chromium writes `id` first and `sessionId` last; callers parse any other message.
 */

const TAIL = Buffer.from(',"sessionId":"')
/** Longer than any `,"sessionId":"…"}`. */
const TAIL_BYTES = 96
const ANSWER = '{"id":'
const QUOTE = 0x22
const BRACE = 0x7d
const COMMA = 0x2c

export interface MessageEnds {
  /** Id of a response; null: it is an event. */
  id: number | null
  /** Offset after the id and its comma. */
  afterId: number
  sessionId: string | null
  /** Offset at which the part before the session id ends. */
  beforeSession: number
}

export function readEnds(message: Buffer): MessageEnds {
  const { id, afterId } = readId(message)
  const { sessionId, beforeSession } = readSession(message)
  return { id, afterId, sessionId, beforeSession }
}

export function readId(message: Buffer): { id: number | null; afterId: number } {
  if (message.toString('latin1', 0, ANSWER.length) !== ANSWER) return { id: null, afterId: 0 }
  const comma = message.indexOf(COMMA, ANSWER.length)
  const id = comma < 0 ? Number.NaN : Number(message.toString('latin1', ANSWER.length, comma))
  return Number.isSafeInteger(id) ? { id, afterId: comma + 1 } : { id: null, afterId: 0 }
}

/** The last member of a message is a string only if it is the session id: params, result and error are objects. */
function readSession(message: Buffer): { sessionId: string | null; beforeSession: number } {
  const none = { sessionId: null, beforeSession: message.length - 1 }
  const { length } = message
  if (length < 2 || message[length - 1] !== BRACE || message[length - 2] !== QUOTE) return none
  const from = Math.max(0, length - TAIL_BYTES)
  const at = message.subarray(from).lastIndexOf(TAIL)
  if (at < 0) return none
  const beforeSession = from + at
  return { sessionId: message.toString('latin1', beforeSession + TAIL.length, length - 2), beforeSession }
}

export function startsWith(message: Buffer, text: string): boolean {
  return message.length >= text.length && message.toString('latin1', 0, text.length) === text
}
