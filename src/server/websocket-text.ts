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

/** A text message, in whichever form it was received. */
export function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString()
  return Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString()
}
