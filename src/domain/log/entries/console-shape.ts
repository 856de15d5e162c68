import { hash } from 'node:crypto'
import type { EntryData } from '../../../ports/log/log-entry.ts'

/** Equal for repeated lines. A function of the stored data, so old entries have it, too. */
export function repeatHash({ level, text, url, line, column }: EntryData['CONSOLE_MESSAGE']): string {
  return hash('sha1', JSON.stringify([level, text, url, line, column]), 'base64url').slice(0, 16)
}

/** Logged arguments; a single string is stored once, as the text of the message. */
export function argumentsOf({ arguments: stored, text, truncated }: EntryData['CONSOLE_MESSAGE']): unknown {
  if (stored !== 'TEXT') return stored
  return [
    { type: 'string', value: text, ...(truncated > 0 ? { length: text.length + truncated, truncated: true } : {}) },
  ]
}
