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
    count: rows.length,
    getScrollElement: () => grid.current,
    estimateSize: () => ROW_HEIGHT,
    // The heading stays at the top and covers what is under it.
    scrollPaddingStart: ROW_HEIGHT,
    overscan: 12,
  })

  useLayoutEffect(() => {
    const element = grid.current
    if (element && following) element.scrollTop = element.scrollHeight
  }, [following, rows.length, props.rowsOf])

  useEffect(() => {
    const element = grid.current
    if (!element) return undefined
    // What becomes lower, because details open below it, must not seem to have been scrolled up.
    const observer = new ResizeObserver(() => {
      if (following) element.scrollTop = element.scrollHeight
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [following])

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
    virtualizer.scrollToIndex(indexOf(rows, row), { align: 'auto' })
  }

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return
    const page = Math.max(1, Math.floor((grid.current!.clientHeight - ROW_HEIGHT) / ROW_HEIGHT) - 1)
    const last = rows.length - 1
    const current = selected ? indexOf(rows, selected) : null
    const first = virtualizer.range?.startIndex ?? 0
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

  const items = virtualizer.getVirtualItems()
  const context = props.contextOf(items.flatMap(({ index }) => rows[index] ?? []))
  const selectedIsThere = selected !== null && items.some(({ index }) => rows[index] === selected)
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
        <div role="rowgroup" className="grid-body" style={{ height: virtualizer.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const row = rows[index]
            if (!row) return null
            return (
              <div
                key={row.sequence}
                id={`${id}-${row.sequence}`}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={row === selected}
                data-tone={props.tone(row)}
                className="grid-row"
                style={{ transform: `translateY(${start}px)` }}
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
            )
          })}
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
