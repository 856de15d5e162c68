import { RE2JS } from 're2js'
import { MASK, type Match } from './mask.ts'

/** Masks what regular expressions of users match, in time that grows with the text alone: RE2 never goes back. */
export class PatternMask {
  readonly #patterns: readonly RE2JS[]

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => RE2JS.compile(pattern))
  }

  /** How each finds what it matches in a piece of text. */
  get each(): ((piece: string) => Match[])[] {
    return this.#patterns.map((pattern) => (piece) => matchesOf(pattern, piece))
  }

  mask(text: string): string {
    let masked = text
    for (const find of this.each) {
      let kept = ''
      let done = 0
      for (const { start, end } of find(masked)) {
        if (end === start) continue
        kept += masked.slice(done, start) + MASK
        done = end
      }
      if (done > 0) masked = kept + masked.slice(done)
    }
    return masked
  }
}

function matchesOf(pattern: RE2JS, text: string): Match[] {
  const found: Match[] = []
  const matcher = pattern.matcher(text)
  while (matcher.find()) found.push({ start: matcher.start(), end: matcher.end() })
  return found
}
