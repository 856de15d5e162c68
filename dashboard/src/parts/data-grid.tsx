import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import type { KeyboardEvent, MouseEvent, ReactNode, WheelEvent } from 'react'
import { count } from '../format.ts'
import { messages } from '../messages.ts'

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
/** The first row of rows is the second of the grid, and ARIA counts from one. */
const FIRST_ROW_INDEX = 2
/** How near to the end counts as at the end. */
const AT_END = ROW_HEIGHT / 2
/** For how long after more lines were drawn a scroll may be meant for the end before them. */
const SEEN_MS = 200

/**
 * A long table of which only the rows in sight exist. It follows its end; it stops when one scrolls up or chooses a row,
 * and goes on when one scrolls down to the end. Arrows, Page Up, Page Down, Home and End choose a row, Escape none.
 */
export function DataGrid<Row extends { readonly sequence: number }, Context = null>(props: Props<Row, Context>) {
  const { columns, rows, selected, onSelect } = props
  const grid = useRef<HTMLDivElement>(null)
  const lastTop = useRef(0)
  const end = useRef<{ now: number; before: number; at: number; of: unknown }>({ now: 0, before: 0, at: 0, of: null })
  const id = useId()
  const [following, setFollowing] = useState(true)
  const [seen, setSeen] = useState(0)
  const virtualizer = useVirtualizer({
    count: Math.ceil(rows.length / BLOCK),
    getScrollElement: () => grid.current,
    estimateSize: () => BLOCK * ROW_HEIGHT,
    overscan: 1,
    // Else each scroll is drawn at once, and a second time with the lines that came in the same frame.
    useFlushSync: false,
  })

  useLayoutEffect(() => {
    const { now, of } = end.current
    const height = (rows.length + 1) * ROW_HEIGHT - (virtualizer.scrollRect?.height ?? 0)
    end.current = { now: height, before: of === props.rowsOf ? now : height, at: performance.now(), of: props.rowsOf }
    if (grid.current && following) lastTop.current = scrollToEnd(grid.current)
  }, [virtualizer, following, rows.length, props.rowsOf])

  useEffect(() => {
    const element = grid.current
    if (!element) return undefined
    // When details open below it, it becomes lower: the end, or the row that they are of, stays in sight.
    const observer = new ResizeObserver(() => {
      if (following) lastTop.current = scrollToEnd(element)
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
    // Told of a scroll of our own, which may be told only after someone has begun to scroll up.
    if (element.scrollTop === lastTop.current) return
    const fromEnd = element.scrollHeight - element.clientHeight - element.scrollTop
    const wentUp = element.scrollTop < lastTop.current
    lastTop.current = element.scrollTop
    // Who scrolls to the end means the one that is seen, although more lines may just have come.
    const { before, at } = end.current
    const wasEnd = performance.now() - at < SEEN_MS && element.scrollTop >= before - AT_END
    if (fromEnd <= AT_END || (wasEnd && !wentUp)) {
      if (!following && !wentUp) setFollowing(true)
    } else if (wentUp && following) stopFollowing()
  }

  // Where lines come fast, the next may be scrolled to before a scroll up is told of.
  const onWheel = ({ deltaY }: WheelEvent) => {
    if (deltaY < 0 && following && grid.current!.scrollTop > 0) stopFollowing()
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

  const onClick = (event: MouseEvent) => {
    const target = event.target as Element
    const index = Number(target.closest('[role=row]')?.getAttribute('aria-rowindex')) - FIRST_ROW_INDEX
    const row = rows[index]
    if (!row || target.closest('a')) return
    if (following) stopFollowing()
    onSelect(row === selected ? null : row)
  }

  // Before it has scrolled to new rows, the virtualizer would have the old ones drawn once more.
  const blocks = virtualizer.getVirtualItems()
  const [from, to] = following
    ? [Math.max(0, rows.length - Math.ceil((virtualizer.scrollRect?.height ?? 0) / ROW_HEIGHT) - BLOCK), rows.length]
    : [(blocks[0]?.index ?? 0) * BLOCK, ((blocks.at(-1)?.index ?? -1) + 1) * BLOCK]
  const inSight = rows.slice(from, to)
  const context = props.contextOf(inSight)
  const overflows = (rows.length + 1) * ROW_HEIGHT > (virtualizer.scrollRect?.height ?? 0)
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
        onWheel={onWheel}
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
        <div role="rowgroup" className="grid-body" style={{ height: rows.length * ROW_HEIGHT }} onClick={onClick}>
          {inSight.map((row, at) => (
            <GridRow
              key={row.sequence}
              id={`${id}-${row.sequence}`}
              index={from + at}
              row={row}
              columns={columns}
              context={context}
              tone={props.tone(row)}
              isSelected={row === selected}
            />
          ))}
        </div>
      </div>
      {rows.length === 0 && <div className="grid-empty">{props.empty}</div>}
      {!following && overflows && (
        <button type="button" className="button follow" onClick={() => setFollowing(true)}>
          {rows.length > seen ? messages.log.resume(count(rows.length - seen)) : messages.log.follow}
        </button>
      )}
    </div>
  )
}

interface RowProps<Row, Context> {
  id: string
  index: number
  row: Row
  columns: readonly Column<Row, Context>[]
  context: Context
  tone: string | undefined
  isSelected: boolean
}

function DrawnRow<Row, Context>({ id, index, row, columns, context, tone, isSelected }: RowProps<Row, Context>) {
  return (
    <div
      id={id}
      role="row"
      aria-rowindex={index + FIRST_ROW_INDEX}
      aria-selected={isSelected}
      data-tone={tone}
      className="grid-row"
      style={{ transform: `translateY(${index * ROW_HEIGHT}px)` }}
    >
      {columns.map(({ key, render, align }) => (
        <span key={key} role="gridcell" className={`cell cell-${key}`} data-align={align}>
          {render(row, context)}
        </span>
      ))}
    </div>
  )
}

/** Entries never change, so a row is drawn once for as long as it is in sight. */
const GridRow = memo(DrawnRow) as typeof DrawnRow

/** Returns how far that is from the top. */
function scrollToEnd(grid: HTMLElement): number {
  grid.scrollTop = grid.scrollHeight
  return grid.scrollTop
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
