import { expect, test } from 'vitest'
import { FoldedLines, rowWith, type ConsoleRow } from '../../dashboard/src/console/console-rows.ts'
import type { ConsoleLine } from '../../dashboard/src/log/session-logs.ts'

let sequence = 0

function line(text: string, differs: Partial<ConsoleLine> = {}): ConsoleLine {
  sequence += 1
  const location = { url: 'http://site/', line: 1, column: 2 }
  const common = { source: 'CONSOLE', level: 'LOG', location, stack: null, truncated: 0, groupDepth: 0 } as const
  return { ...common, id: `id ${sequence}`, sequence, at: `time ${sequence}`, text, ...differs }
}

/** Each row as text: "a" one message, "a ×3" three of them, "> a" one of those in an open row. */
const shown = (rows: readonly ConsoleRow[]) =>
  rows.map(
    ({ line: { text }, count, repeatOf }) =>
      `${repeatOf === null ? '' : '> '}${text}${count === 1 ? '' : ` ×${count}`}`,
  )
const rowsOf = (lines: ConsoleLine[], open: number[] = []) => new FoldedLines(lines, new Set(open)).upToNow()

test('equal messages in succession are one row with their number', () => {
  const lines = ['a', 'a', 'a', 'b', 'a', 'c', 'c'].map((text) => line(text))
  const rows = rowsOf(lines)
  expect(shown(rows)).toEqual(['a ×3', 'b', 'a', 'c ×2'])
  expect(rows[0]).toMatchObject({ sequence: lines[0]!.sequence, line: lines[0], last: lines[2] })
  expect(rows[3]).toMatchObject({ line: lines[5], last: lines[6] })
})

test.each<[string, Partial<ConsoleLine>]>([
  ['level', { level: 'ERROR' }],
  ['source', { source: 'BROWSER' }],
  ['URL', { location: { url: 'http://other/', line: 1, column: 2 } }],
  ['line', { location: { url: 'http://site/', line: 2, column: 2 } }],
  ['column', { location: { url: 'http://site/', line: 1, column: 3 } }],
  ['location that is known', { location: null }],
  ['stack', { stack: 'at somewhere' }],
  ['number of characters that were cut', { truncated: 5 }],
  ['group', { groupDepth: 1 }],
])('messages that differ in their %s have rows of their own', (_, differs) => {
  expect(shown(rowsOf([line('a'), line('a', differs), line('a', differs)]))).toEqual(['a', 'a ×2'])
})

test('a row counts on as messages arrive, as a new object, and the others stay the same', () => {
  const lines = [line('a'), line('b')]
  const folded = new FoldedLines(lines, new Set())
  const [first, second] = folded.upToNow()
  lines.push(line('b'), line('b'))
  const rows = folded.upToNow()
  expect(shown(rows)).toEqual(['a', 'b ×3'])
  expect(rows[0]).toBe(first)
  expect(rows[1]).not.toBe(second)
  lines.push(line('b'), line('c'), line('c'))
  expect(shown(folded.upToNow())).toEqual(['a', 'b ×4', 'c ×2'])
  expect(rowWith(rows, lines[1]!.sequence)?.last).toBe(lines[4])
  expect(folded.upToNow()[2]).toBe(folded.upToNow()[2])
})

test('an open row has the other messages below, in the order of the log, those that arrive later as well', () => {
  const lines = [line('a'), line('a'), line('b'), line('b')]
  const [first, , third] = lines.map((one) => one.sequence)
  expect(shown(rowsOf(lines, [first!]))).toEqual(['a ×2', '> a', 'b ×2'])
  const folded = new FoldedLines(lines, new Set([first!, third!]))
  folded.upToNow()
  lines.push(line('b'), line('c'))
  const rows = folded.upToNow()
  expect(shown(rows)).toEqual(['a ×2', '> a', 'b ×3', '> b', '> b', 'c'])
  expect(rows.map((row) => row.sequence)).toEqual(lines.map((one) => one.sequence))
  expect(rows[4]).toMatchObject({ line: lines[4], repeatOf: third, isOpen: false })
})

test('a message without a row of its own is found in none', () => {
  const lines = [line('a'), line('a'), line('b')]
  const rows = rowsOf(lines)
  expect(rowWith(rows, lines[0]!.sequence)).toBe(rows[0])
  expect(rowWith(rows, lines[1]!.sequence)).toBe(null)
  expect(rowWith([], 1)).toBe(null)
})
