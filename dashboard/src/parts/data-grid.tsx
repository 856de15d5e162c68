import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import type { KeyboardEvent, MouseEvent, ReactNode, WheelEvent } from 'react'
import { count } from '../base/format.ts'
import { messages } from '../base/messages.ts'
import { indexOfSequence } from '../base/sequence-order.ts'

export interface Column<Row, Context = null> {
  readonly key: string
  readonly label: string
  readonly render: (row: Row, context: Context) => ReactNode
  readonly align?: 'end'
}

interface Props<Row, Context> {
  label: string
  /** Class that sets the column widths in the style sheet. */
  className: string
  columns: readonly Column<Row, Context>[]
  rows: readonly Row[]
  /** Context for rendering cells that depends on the visible rows, such as the time that they span. */
  contextOf: (inSight: readonly Row[]) => Context
  /** Unchanged for as long as rows are only appended. */
  rowsOf: unknown
  tone: (row: Row) => string | undefined
  selected: Row | null
  onSelect: (row: Row | null) => void
  /** Number of entries that the rows show, where a row can have several. */
  entryCount?: number
  /** Opens or closes a row: its button with `aria-expanded`, or Arrow Right and Left. */
  onOpen?: (row: Row, isOpen: boolean) => void
  /** Shown if there are no rows. */
  empty: ReactNode
}

const ROW_HEIGHT = 24
/**
 * Rows are added in blocks of this size: the virtualizer recomputes the layout of all its items whenever there are
 * more, which for a hundred thousand rows would take most of a frame.
 */
const BLOCK = 10
/** The first data row is the second of the grid, and ARIA counts from one. */
const FIRST_ROW_INDEX = 2
/** Distance from the end that counts as at the end. */
const AT_END = ROW_HEIGHT / 2
/** After new rows were rendered, a scroll within this time may aim at the previous end. */
const SEEN_MS = 200

/**
 * A long table that renders only visible rows. It follows its end; scrolling up or selecting a row stops that,
 * scrolling down to the end resumes it. Arrow keys, Page Up, Page Down, Home and End select a row, Escape clears the
 * selection. A row is known by its sequence: the object may be replaced when what it shows has changed.
 */
export function DataGrid<Row extends { readonly sequence: number }, Context = null>(props: Props<Row, Context>) {
  const { columns, rows, selected, onSelect, onOpen, entryCount = rows.length } = props
  const grid = useRef<HTMLDivElement>(null)
  const lastTop = useRef(0)
  const end = useRef<{ now: number; before: number; at: number; of: unknown }>({ now: 0, before: 0, at: 0, of: null })
  const revealsSelected = useRef(false)
  const id = useId()
  const [following, setFollowing] = useState(true)
  const [seen, setSeen] = useState(0)
  const virtualizer = useVirtualizer({
    count: Math.ceil(rows.length / BLOCK),
    getScrollElement: () => grid.current,
    estimateSize: () => BLOCK * ROW_HEIGHT,
    overscan: 1,
    // Otherwise each scroll renders synchronously, and again with the rows that arrived in the same frame.
    useFlushSync: false,
  })

  useLayoutEffect(() => {
    const { now, of } = end.current
    const height = (rows.length + 1) * ROW_HEIGHT - (virtualizer.scrollRect?.height ?? 0)
    end.current = { now: height, before: of === props.rowsOf ? now : height, at: performance.now(), of: props.rowsOf }
    if (grid.current && following) lastTop.current = scrollToEnd(grid.current)
  }, [virtualizer, following, rows.length, props.rowsOf])

  useLayoutEffect(() => {
    if (revealsSelected.current && selected) reveal(grid.current!, indexOfSequence(rows, selected.sequence))
    revealsSelected.current = false
    // oxlint-disable-next-line react/exhaustive-deps -- only when a row was opened or closed
  }, [props.rowsOf])

  useEffect(() => {
    const element = grid.current
    if (!element) return undefined
    // Details that open below shrink it: the end, or the selected row, stays visible.
    const observer = new ResizeObserver(() => {
      if (following) lastTop.current = scrollToEnd(element)
      else if (selected) reveal(element, indexOfSequence(rows, selected.sequence))
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [following, rows, selected])

  const stopFollowing = () => {
    setFollowing(false)
    setSeen(entryCount)
  }

  const onScroll = () => {
    const element = grid.current!
    // Ignores its own scrolls, whose events may arrive only after the user has begun to scroll up.
    if (element.scrollTop === lastTop.current) return
    const fromEnd = element.scrollHeight - element.clientHeight - element.scrollTop
    const wentUp = element.scrollTop < lastTop.current
    lastTop.current = element.scrollTop
    // A user who scrolls to the end means the visible one, although more rows may just have arrived.
    const { before, at } = end.current
    const wasEnd = performance.now() - at < SEEN_MS && element.scrollTop >= before - AT_END
    if (fromEnd <= AT_END || (wasEnd && !wentUp)) {
      if (!following && !wentUp) setFollowing(true)
    } else if (wentUp && following) stopFollowing()
  }

  // With frequent new rows, the next scroll to the end may precede the event of the user's scroll up.
  const onWheel = ({ deltaY }: WheelEvent) => {
    if (deltaY < 0 && following && grid.current!.scrollTop > 0) stopFollowing()
  }

  const choose = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))]
    if (!row) return
    if (following) stopFollowing()
    onSelect(row)
    reveal(grid.current!, indexOfSequence(rows, row.sequence))
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return
    const page = Math.max(1, Math.floor((grid.current!.clientHeight - ROW_HEIGHT) / ROW_HEIGHT) - 1)
    const last = rows.length - 1
    const current = selected ? indexOfSequence(rows, selected.sequence) : null
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
    } else if (onOpen && selected && (event.key === 'ArrowRight' || event.key === 'ArrowLeft')) {
      event.preventDefault()
      revealsSelected.current = true
      onOpen(selected, event.key === 'ArrowRight')
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
    const opener = target.closest('button[aria-expanded]')
    if (opener) onOpen?.(row, opener.getAttribute('aria-expanded') !== 'true')
    else onSelect(row.sequence === selected?.sequence ? null : row)
  }

  // Before it has scrolled to new rows, the virtualizer would render the old ones once more.
  const blocks = virtualizer.getVirtualItems()
  const [from, to] = following
    ? [Math.max(0, rows.length - Math.ceil((virtualizer.scrollRect?.height ?? 0) / ROW_HEIGHT) - BLOCK), rows.length]
    : [(blocks[0]?.index ?? 0) * BLOCK, ((blocks.at(-1)?.index ?? -1) + 1) * BLOCK]
  const inSight = rows.slice(from, to)
  const context = props.contextOf(inSight)
  const overflows = (rows.length + 1) * ROW_HEIGHT > (virtualizer.scrollRect?.height ?? 0)
  const selectedIsThere = selected !== null && inSight.some(({ sequence }) => sequence === selected.sequence)
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
              isSelected={row.sequence === selected?.sequence}
            />
          ))}
        </div>
      </div>
      {rows.length === 0 && <div className="grid-empty">{props.empty}</div>}
      {!following && overflows && (
        <button type="button" className="button follow" onClick={() => setFollowing(true)}>
          {entryCount > seen ? messages.log.resume(count(entryCount - seen)) : messages.log.follow}
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

/** Entries never change, so a row renders once for as long as it is visible and the same object. */
const GridRow = memo(DrawnRow) as typeof DrawnRow

/** Returns its distance from the top. */
function scrollToEnd(grid: HTMLElement): number {
  grid.scrollTop = grid.scrollHeight
  return grid.scrollTop
}

/** Scrolls only as far as needed to show the whole row; the heading covers as much as one row. */
function reveal(grid: HTMLElement, index: number): void {
  const top = index * ROW_HEIGHT
  const room = grid.clientHeight - 2 * ROW_HEIGHT
  if (top < grid.scrollTop) grid.scrollTop = top
  else if (top > grid.scrollTop + room) grid.scrollTop = top - room
}
