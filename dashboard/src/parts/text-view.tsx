import { useEffect, useRef, useState } from 'react'
import { count } from '../base/format.ts'
import { messages } from '../base/messages.ts'
import type { TextRange } from '../base/text-search.ts'

const { body } = messages.network

/** Characters rendered at a time. */
const PAGE = 200_000
/** Hits marked before and after the active one. */
const MARKED = 200

/** A text of any length, one part at a time: the part with the active hit, or the selected one. */
export function TextView({ text, hits, active }: { text: string; hits: readonly TextRange[]; active: number }) {
  const at = hits[active]
  const [page, setPage] = useState(0)
  useEffect(() => {
    if (at) setPage(Math.floor(at[0] / PAGE))
  }, [at])
  const mark = useRef<HTMLElement>(null)
  useEffect(() => {
    // Its result is not a cleanup function: newer browsers return a promise.
    mark.current?.scrollIntoView({ block: 'nearest' })
  }, [at, page])

  const from = page * PAGE
  const to = Math.min(from + PAGE, text.length)
  const marked = hits
    .map((range, index) => ({ range, index }))
    .slice(Math.max(0, active - MARKED), active + MARKED)
    .filter(({ range }) => range[0] >= from && range[0] < to)
  return (
    <>
      <pre className="text">
        {marked.map(({ range, index }, place) => (
          <span key={range[0]}>
            {text.slice(place === 0 ? from : marked[place - 1]!.range[1], range[0])}
            <mark ref={index === active ? mark : null} data-active={index === active}>
              {text.slice(...range)}
            </mark>
          </span>
        ))}
        {text.slice(marked.at(-1)?.range[1] ?? from, to)}
      </pre>
      {text.length > PAGE && (
        <div className="bar">
          <button type="button" className="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
            {body.previousPart}
          </button>
          <span className="faint">{body.part(count(from + 1), count(to), count(text.length))}</span>
          <button type="button" className="button" disabled={to === text.length} onClick={() => setPage(page + 1)}>
            {body.nextPart}
          </button>
        </div>
      )}
    </>
  )
}
