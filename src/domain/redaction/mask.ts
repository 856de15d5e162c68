/** Says in a log that something was there. */
export const MASK = '[redacted]'

/** Where something is in a text. */
export interface Match {
  start: number
  end: number
}

/** What begins in this part of a text, in order. It may look somewhat beyond the part. */
export type Find = (text: string, from: number, until: number) => readonly Match[]

export function maskAll(text: string, matches: readonly Match[]): string {
  let kept = ''
  let done = 0
  for (const { start, end } of matches) {
    // What was masked is not masked again.
    if (end === start || (end - start === MASK.length && text.startsWith(MASK, start))) continue
    kept += text.slice(done, start) + MASK
    done = end
  }
  return done === 0 ? text : kept + text.slice(done)
}
