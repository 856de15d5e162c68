import { hash } from 'node:crypto'
import type { EntryData } from '../../ports/log-entry.ts'

/** Lines with the same one are repeats: a function of what is stored, so that old entries have it as well. */
export function repeatHash({ level, text, url, line, column }: EntryData['CONSOLE_MESSAGE']): string {
  return hash('sha1', JSON.stringify([level, text, url, line, column]), 'base64url').slice(0, 16)
}

/** What was logged; a single text is stored once, as the text of the line. */
export function argumentsOf({ arguments: stored, text, truncated }: EntryData['CONSOLE_MESSAGE']): unknown {
  if (stored !== 'TEXT') return stored
  return [
    { type: 'string', value: text, ...(truncated > 0 ? { length: text.length + truncated, truncated: true } : {}) },
  ]
}
