/** Range of a hit in a text, end exclusive. */
export type TextRange = readonly [from: number, to: number]

/** More are of no use to a reader; their number is shown as "10,000+". */
export const MAX_HITS = 10_000

/** Matches the typed text literally, ignoring case. */
export const patternOf = (wanted: string): RegExp =>
  new RegExp(wanted.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`), 'gi')

/** The first hits in a text. */
export function findInText(text: string, pattern: RegExp, limit: number): TextRange[] {
  const ranges: TextRange[] = []
  for (const { 0: found, index } of text.matchAll(pattern)) {
    ranges.push([index, index + found.length])
    if (ranges.length === limit) break
  }
  return ranges
}
