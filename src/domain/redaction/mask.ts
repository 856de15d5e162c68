/** Shows in a log that a value was masked. */
export const MASK = '[redacted]'

/** A range within a text. */
export interface Match {
  start: number
  end: number
}

/** Matches that begin in this part of a text, in order. It may look slightly beyond the part. */
export type Find = (text: string, from: number, until: number) => readonly Match[]

export function maskAll(text: string, matches: readonly Match[]): string {
  let kept = ''
  let done = 0
  for (const { start, end } of matches) {
    // A masked value is not masked again.
    if (end === start || (end - start === MASK.length && text.startsWith(MASK, start))) continue
    kept += text.slice(done, start) + MASK
    done = end
  }
  return done === 0 ? text : kept + text.slice(done)
}
