import type { MessageLimits } from './message-limits.ts'

/** Smaller messages are parsed within the time limit, whatever they contain. */
const ALWAYS_LIGHT_BYTES = 512 * 1024
/** Names are compared by this many bytes of their beginning. */
const HASHED_BYTES = 64
const SLOT_BITS = 17

const [QUOTE, BACKSLASH, COLON, COMMA, BRACE, BRACKET] = [0x22, 0x5c, 0x3a, 0x2c, 0x7b, 0x5b]

/** Whether parsing a message would take too long. The time depends on the number of values and names, not of bytes. */
export function isTooIntricate(message: Buffer, limits: Pick<MessageLimits, 'values' | 'names'>): boolean {
  if (message.length <= ALWAYS_LIGHT_BYTES) return false
  const { length } = message
  const seen = new Uint8Array(1 << SLOT_BITS)
  let values = 0
  let names = 0
  let hash = 0
  for (let at = 0; at < length; at += 1) {
    const byte = message[at]
    if (byte === QUOTE) {
      hash = 0x811c9dc5
      const hashedUntil = at + HASHED_BYTES
      for (at += 1; at < length; at += 1) {
        const inside = message[at]
        if (inside === QUOTE) break
        if (inside === BACKSLASH) at += 1
        if (at < hashedUntil) hash = Math.imul(hash ^ message[at]!, 0x01000193)
      }
    } else if (byte === COMMA || byte === BRACE || byte === BRACKET) {
      values += 1
      if (values > limits.values) return true
    } else if (byte === COLON) {
      const slot = (hash ^ (hash >>> SLOT_BITS)) & ((1 << SLOT_BITS) - 1)
      if (seen[slot] === 0) {
        seen[slot] = 1
        names += 1
        if (names > limits.names) return true
      }
    }
  }
  return false
}
