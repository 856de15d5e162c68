import { useMemo } from 'react'
import type { ConsoleLine } from '../log/session-logs.ts'
import { indexOfSequence } from '../base/sequence-order.ts'

/** A row of the console: a message, or several equal ones in succession. */
export interface ConsoleRow {
  /** That of the message, or of the first of several. */
  readonly sequence: number
  readonly line: ConsoleLine
  /** The last of several equal messages. */
  readonly last: ConsoleLine
  /** Number of equal messages. */
  readonly count: number
  /** Whether the other messages have rows of their own below. */
  readonly isOpen: boolean
  /** In such a row below: the sequence of the first message. */
  readonly repeatOf: number | null
}

/**
 * The rows of messages, folded. Only new messages are compared, regardless of the length of the log; `open` has the
 * sequences of the rows that are open.
 */
export function useConsoleRows(lines: readonly ConsoleLine[], open: ReadonlySet<number>): readonly ConsoleRow[] {
  const folded = useMemo(() => new FoldedLines(lines, open), [lines, open])
  return folded.upToNow()
}

/** Rows are only appended, except that the last folded one is replaced when its count has changed. */
export class FoldedLines {
  readonly #lines: readonly ConsoleLine[]
  readonly #open: ReadonlySet<number>
  readonly #rows: ConsoleRow[] = []
  /** Where the row is that the next message is folded into, if it is equal. */
  #at = -1
  #looked = 0

  constructor(lines: readonly ConsoleLine[], open: ReadonlySet<number>) {
    this.#lines = lines
    this.#open = open
  }

  upToNow(): readonly ConsoleRow[] {
    let repeats = 0
    for (; this.#looked < this.#lines.length; this.#looked += 1) {
      const line = this.#lines[this.#looked]!
      const row = this.#rows[this.#at]
      if (row && isRepeat(row.line, line)) {
        repeats += 1
        if (row.isOpen) this.#rows.push({ ...single(line), repeatOf: row.sequence })
      } else {
        this.#count(repeats)
        repeats = 0
        this.#at = this.#rows.push({ ...single(line), isOpen: this.#open.has(line.sequence) }) - 1
      }
    }
    this.#count(repeats)
    return this.#rows
  }

  /** Call with the last repeat just before `#looked`. */
  #count(repeats: number): void {
    if (repeats === 0) return
    const row = this.#rows[this.#at]!
    const last = this.#lines[this.#looked - 1]!
    this.#rows[this.#at] = { ...row, count: row.count + repeats, last }
  }
}

/** The row of a message that has one, among rows ordered by sequence. */
export function rowWith(rows: readonly ConsoleRow[], sequence: number): ConsoleRow | null {
  const row = rows[indexOfSequence(rows, sequence)]
  return row?.sequence === sequence ? row : null
}

const single = (line: ConsoleLine): ConsoleRow => ({
  sequence: line.sequence,
  line,
  last: line,
  count: 1,
  isOpen: false,
  repeatOf: null,
})

/** As `ConsoleMessage.hash`, within the same groups and with the same stack. */
function isRepeat(first: ConsoleLine, line: ConsoleLine): boolean {
  return (
    first.text === line.text &&
    first.level === line.level &&
    first.source === line.source &&
    first.truncated === line.truncated &&
    first.groupDepth === line.groupDepth &&
    first.stack === line.stack &&
    first.location?.url === line.location?.url &&
    first.location?.line === line.location?.line &&
    first.location?.column === line.location?.column
  )
}
