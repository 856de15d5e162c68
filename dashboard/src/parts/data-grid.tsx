import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { count } from '../format.ts'
import { texts } from '../texts.ts'

export interface Column<Row, Context = null> {
  readonly key: string
  readonly label: string
  readonly render: (row: Row, context: Context) => ReactNode
  readonly align?: 'end'
}

interface Props<Row, Context> {
  label: string
  /** Names the widths of the columns in the style sheet. */
  className: string
  columns: readonly Column<Row, Context>[]
  rows: readonly Row[]
  /** What cells are drawn by that depends on the rows in sight, such as the time that they span. */
  contextOf: (inSight: readonly Row[]) => Context
  /** Stays the same for as long as rows are only appended. */
  rowsOf: unknown
  tone: (row: Row) => string | undefined
  selected: Row | null
  onSelect: (row: Row | null) => void
  /** Shown instead of rows where there are none. */
  empty: ReactNode
}

const ROW_HEIGHT = 24
/**
 * Rows come and go in blocks of so many: the virtualizer lays out all of its items anew whenever there are more, which
 * for a hundred thousand rows would take most of a frame.
 */
const BLOCK = 10
/** How near to the end counts as at the end. */
const AT_END = ROW_HEIGHT / 2

/**
 * A long table of which only the rows in sight exist. It follows its end; it stops when one scrolls up or chooses a row,
 * and goes on when one scrolls down to the end. Arrows, Page Up, Page Down, Home and End choose a row, Escape none.
 */
export function DataGrid<Row extends { readonly sequence: number }, Context = null>(props: Props<Row, Context>) {
  const { columns, rows, selected, onSelect } = props
  const grid = useRef<HTMLDivElement>(null)
  const lastTop = useRef(0)
  const id = useId()
  const [following, setFollowing] = useState(true)
  const [seen, setSeen] = useState(0)
  const virtualizer = useVirtualizer({
    count: Math.ceil(rows.length / BLOCK),
    getScrollElement: () => grid.current,
    estimateSize: () => BLOCK * ROW_HEIGHT,
    overscan: 1,
  })

  useLayoutEffect(() => {
    const element = grid.current
    if (element && following) element.scrollTop = element.scrollHeight
  }, [following, rows.length, props.rowsOf])

  useEffect(() => {
    const element = grid.current
    if (!element) return undefined
    // When details open below it, it becomes lower: the end, or the row that they are of, stays in sight.
    const observer = new ResizeObserver(() => {
      if (following) element.scrollTop = element.scrollHeight
      else if (selected) reveal(element, indexOf(rows, selected))
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [following, rows, selected])

  const stopFollowing = () => {
    setFollowing(false)
    setSeen(rows.length)
  }

  const onScroll = () => {
    const element = grid.current!
    const fromEnd = element.scrollHeight - element.clientHeight - element.scrollTop
    const wentUp = element.scrollTop < lastTop.current
    lastTop.current = element.scrollTop
    if (fromEnd <= AT_END) {
      if (!following && !wentUp) setFollowing(true)
    } else if (wentUp && following) stopFollowing()
  }

  const choose = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))]
    if (!row) return
    if (following) stopFollowing()
    onSelect(row)
    reveal(grid.current!, indexOf(rows, row))
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return
    const page = Math.max(1, Math.floor((grid.current!.clientHeight - ROW_HEIGHT) / ROW_HEIGHT) - 1)
    const last = rows.length - 1
    const current = selected ? indexOf(rows, selected) : null
    const first = Math.ceil(grid.current!.scrollTop / ROW_HEIGHT)
    const targets: Record<string, number> = {
      ArrowDown: current === null ? first : current + 1,
      ArrowUp: current === null ? last : current - 1,
      PageDown: (current ?? first) + page,
      PageUp: (current ?? last) - page,
      Home: 0,
      End: last,
    }
    const target = targets[event.key]
    if (target !== undefined) {
      event.preventDefault()
      choose(target)
    } else if (event.key === 'Escape' && selected) {
      event.preventDefault()
      onSelect(null)
    }
  }

  const blocks = virtualizer.getVirtualItems()
  const from = (blocks[0]?.index ?? 0) * BLOCK
  const to = ((blocks.at(-1)?.index ?? -1) + 1) * BLOCK
  const inSight = rows.slice(from, to)
  const context = props.contextOf(inSight)
  const selectedIsThere = selected !== null && inSight.includes(selected)
  return (
    <div className="grid-frame">
      <div
        ref={grid}
        role="grid"
        aria-label={props.label}
        aria-rowcount={rows.length + 1}
        aria-colcount={columns.length}
        aria-activedescendant={selectedIsThere ? `${id}-${selected.sequence}` : undefined}
        tabIndex={0}
        className={`grid ${props.className}`}
        onScroll={onScroll}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup" className="grid-head">
          <div role="row" aria-rowindex={1} className="grid-row">
            {columns.map(({ key, label, align }) => (
              <span key={key} role="columnheader" className={`cell cell-${key}`} data-align={align}>
                {label}
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" className="grid-body" style={{ height: rows.length * ROW_HEIGHT }}>
          {inSight.map((row, at) => (
            <div
              key={row.sequence}
              id={`${id}-${row.sequence}`}
              role="row"
              aria-rowindex={from + at + 2}
              aria-selected={row === selected}
              data-tone={props.tone(row)}
              className="grid-row"
              style={{ transform: `translateY(${(from + at) * ROW_HEIGHT}px)` }}
              onClick={(event) => {
                if ((event.target as Element).closest('a')) return
                if (following) stopFollowing()
                onSelect(row === selected ? null : row)
              }}
            >
              {columns.map(({ key, render, align }) => (
                <span key={key} role="gridcell" className={`cell cell-${key}`} data-align={align}>
                  {render(row, context)}
                </span>
              ))}
            </div>
          ))}
        </div>
      </div>
      {rows.length === 0 && <div className="grid-empty">{props.empty}</div>}
      {!following && rows.length > 0 && (
        <button type="button" className="button follow" onClick={() => setFollowing(true)}>
          {rows.length > seen ? texts.log.resume(count(rows.length - seen)) : texts.log.follow}
        </button>
      )}
    </div>
  )
}

/** Scrolls no further than it takes to see the whole row; the heading covers as much of it as a row is high. */
function reveal(grid: HTMLElement, index: number): void {
  const top = index * ROW_HEIGHT
  const room = grid.clientHeight - 2 * ROW_HEIGHT
  if (top < grid.scrollTop) grid.scrollTop = top
  else if (top > grid.scrollTop + room) grid.scrollTop = top - room
}

/** The place of a row among rows in the order of their sequence. */
function indexOf(rows: readonly { readonly sequence: number }[], row: { readonly sequence: number }): number {
  let low = 0
  let high = rows.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle]!.sequence < row.sequence) low = middle + 1
    else high = middle
  }
  return low
}
