import type { RawData } from 'ws'

const LONGEST_COMPLETE = 500

/** The operation that a client cancels with this message; null: it is another message. */
export function idOfComplete(text: string): string | null {
  if (text.length > LONGEST_COMPLETE || !text.includes('"complete"')) return null
  try {
    const message = JSON.parse(text) as { type?: unknown; id?: unknown } | null
    return message?.type === 'complete' && typeof message.id === 'string' ? message.id : null
  } catch {
    // graphql-ws reports the error and closes the socket.
    return null
  }
}

/** The protocol's limit for the reason of a close frame; ws throws beyond it. */
const MAX_REASON_BYTES = 123

/** A reason cut to the limit of a close frame: it may repeat what the client sent. */
export function closeReason(text: string): string {
  // In streaming mode: an incomplete character at the end is omitted.
  return new TextDecoder().decode(Buffer.from(text).subarray(0, MAX_REASON_BYTES), { stream: true })
}

/** A text message, in any form in which it was received. */
export function textOf(data: RawData): string {
  return bytesOf(data).toString()
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}
