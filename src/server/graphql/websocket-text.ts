import type { RawData } from 'ws'

const LONGEST_COMPLETE = 500

/** The operation that a client gives up with this message; null: it is another message. */
export function idOfComplete(text: string): string | null {
  if (text.length > LONGEST_COMPLETE || !text.includes('"complete"')) return null
  try {
    const message = JSON.parse(text) as { type?: unknown; id?: unknown } | null
    return message?.type === 'complete' && typeof message.id === 'string' ? message.id : null
  } catch {
    // graphql-ws says so, and closes.
    return null
  }
}

/** What the protocol leaves for the reason of a close frame; ws throws at more. */
const MOST_REASON_BYTES = 123

/** As much of a reason as a close frame may have: it may repeat what the client said. */
export function closeReason(text: string): string {
  // As a stream: what is cut within a character is left out.
  return new TextDecoder().decode(Buffer.from(text).subarray(0, MOST_REASON_BYTES), { stream: true })
}

/** A text message, in whichever form it was received. */
export function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString()
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString()
}
