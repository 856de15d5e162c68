/** Says in a log that something was there. */
export const MASK = '[redacted]'

/** Whether nothing else stands there: what was masked is not masked again. */
export const isMasked = (text: string, start: number, end: number): boolean =>
  end - start === MASK.length && text.startsWith(MASK, start)

/** Where something is in a text. */
export interface Match {
  start: number
  end: number
}

export const matchesOf = (pattern: RegExp, text: string): Match[] =>
  [...text.matchAll(pattern)].map(({ 0: found, index }) => ({ start: index, end: index + found.length }))
