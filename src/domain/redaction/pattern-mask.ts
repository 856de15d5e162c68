import { RE2JS } from 're2js'
import { maskAll, type Find, type Match } from './mask.ts'

/** Masks matches of users' regular expressions, in time proportional to the text: RE2 never backtracks. */
export class PatternMask {
  readonly #patterns: readonly RE2JS[]

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => RE2JS.compile(pattern))
  }

  /** How each finds its matches. */
  get each(): readonly Find[] {
    return this.#patterns.map((pattern) => (text, from, until) => matchesOf(pattern, text, from, until))
  }

  mask(text: string): string {
    let left = text
    for (const find of this.each) left = maskAll(left, find(left, 0, left.length))
    return left
  }
}

function matchesOf(pattern: RE2JS, text: string, from: number, until: number): Match[] {
  const found: Match[] = []
  const matcher = pattern.matcher(text.slice(from, until))
  while (matcher.find()) found.push({ start: from + matcher.start(), end: from + matcher.end() })
  return found
}
