import { type CSSProperties, useCallback, useEffect, useRef, useState, type RefObject } from 'react'
import { useClient, useQuery } from 'urql'
import type { Api } from '../api/api.ts'
import { DispatchInput, Screencast, SessionNow } from '../api/operations.ts'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { sentenceFor } from '../api/errors.ts'
import { drawScreencast, type Frame } from './screencast.ts'
import { InputQueue } from './input-queue.ts'
import { takeControl, type ToPage } from './remote-input.ts'
import { messages } from '../base/messages.ts'
import type { LiveSession } from '../api/live-session.ts'

/** Widths are requested in steps, so that viewers with windows of similar size share frames. */
const WIDTH_STEP = 160
const WIDEST = 1_920

type Shown = Pick<LiveSession, 'id'> & Partial<Pick<LiveSession, 'viewport' | 'title' | 'currentUrl'>>

/** Until the first frame arrives. */
const DEFAULT_VIEWPORT = { width: 1_920, height: 1_080 }

/**
 * Live view of the browser, with optional control of mouse and keyboard. Alone: for viewers who may see nothing else
 * of the session.
 */
export function LiveView(props: { api: Api; session: Shown; alone?: boolean; canTakeOver?: boolean }) {
  const { api, session, alone = false, canTakeOver = true } = props
  const { id, viewport = DEFAULT_VIEWPORT } = session
  const client = useClient()
  const stage = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const keys = useRef<HTMLTextAreaElement>(null)
  const frame = useRef<Frame | null>(null)
  const [page, setPage] = useState<string | null>(null)
  const [isDrawn, setIsDrawn] = useState(false)
  const [inControl, setInControl] = useState(false)
  const [isStuck, setIsStuck] = useState(false)
  const [isOver, setIsOver] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const [attempt, setAttempt] = useState(0)
  const maxWidth = useWidth(stage)

  useEffect(() => {
    if (!canvas.current || maxWidth === null) return undefined
    return drawScreencast(
      api,
      canvas.current,
      { session: id, page, maxWidth },
      {
        drawn: (drawn) => {
          frame.current = drawn
          setIsDrawn(true)
          setProblem(null)
        },
        // The selected page has closed: the active page is shown instead.
        ended: () => {
          if (page === null) setIsOver(true)
          setPage(null)
        },
        fail: (why) => {
          setProblem(why)
          // It closed while the view was hidden.
          setPage(null)
        },
      },
    )
  }, [api, id, page, maxWidth, attempt])

  useEffect(() => {
    if (!inControl || !canvas.current || !keys.current) return undefined
    const element = canvas.current
    const queue = new InputQueue(async (events) => {
      const { data, error } = await client.mutation(DispatchInput, { session: id, page, events })
      if (error) setProblem(sentenceFor(error))
      else setIsStuck(data?.dispatchInput === false)
    })
    keys.current.focus()
    return takeControl(element, keys.current, pointIn(element, frame), queue, () => setInControl(false))
  }, [client, id, page, inControl])

  return (
    <section className="live" aria-label={messages.live.label} data-control={inControl}>
      <div className="bar">
        {!alone && <PageChoice id={id} page={page} onChange={setPage} />}
        <span className="bar-gap" />
        {canTakeOver && (
          <button type="button" className="button" aria-pressed={inControl} onClick={() => setInControl(!inControl)}>
            {inControl ? messages.live.release : messages.live.takeControl}
          </button>
        )}
        {!alone && <OperationCopy document={Screencast as never} variables={{ session: id, page, maxWidth }} />}
      </div>
      {problem && !isOver && (
        <Problem
          onRetry={() => {
            setProblem(null)
            setAttempt(attempt + 1)
          }}
        >
          {problem}
        </Problem>
      )}
      <div
        className="stage"
        ref={stage}
        style={{ '--shape': `${viewport.width} / ${viewport.height}` } as CSSProperties}
      >
        <canvas
          ref={canvas}
          width={viewport.width}
          height={viewport.height}
          role="img"
          aria-label={messages.live.viewLabel(session.title || session.currentUrl || '')}
          data-drawn={isDrawn}
        />
        {inControl && (
          <textarea
            ref={keys}
            className="keys"
            aria-label={messages.live.keyboard}
            autoComplete="off"
            spellCheck={false}
          />
        )}
        {!isDrawn && <p className="stage-note faint">{messages.live.waiting}</p>}
      </div>
      <p className="hint live-hint" role="status">
        {isOver && messages.live.over}
        {!isOver && !inControl && (canTakeOver ? messages.live.watching : messages.live.onlyWatching)}
        {!isOver && inControl && (isStuck ? messages.live.stuck : messages.live.inControl)}
      </p>
    </section>
  )
}

function PageChoice(props: { id: string; page: string | null; onChange: (page: string | null) => void }) {
  const [{ data }, refetch] = useQuery({ query: SessionNow, variables: { id: props.id } })
  return (
    <select
      className="field page-choice"
      aria-label={messages.live.page}
      value={props.page ?? ''}
      onFocus={() => refetch()}
      onChange={(event) => props.onChange(event.target.value || null)}
    >
      <option value="">{messages.live.inFront}</option>
      {data?.session?.pages?.map(({ id, title, url }) => (
        <option key={id} value={id}>
          {title || url}
        </option>
      ))}
    </select>
  )
}

/** Width of the frame that the element has room for, in screen pixels, in steps. */
function useWidth(element: RefObject<HTMLElement | null>): number | null {
  const [width, setWidth] = useState<number | null>(null)
  const measure = useCallback((css: number) => {
    const pixels = Math.ceil((css * devicePixelRatio) / WIDTH_STEP) * WIDTH_STEP
    setWidth(Math.min(WIDEST, Math.max(2 * WIDTH_STEP, pixels)))
  }, [])
  useEffect(() => {
    if (!element.current) return undefined
    const observer = new ResizeObserver(([entry]) => entry && measure(entry.contentRect.width))
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [element, measure])
  return width
}

/** The frame is drawn as large as fits, centered in its element, and shows a viewport of a different size. */
function pointIn(element: HTMLCanvasElement, frame: { current: Frame | null }): ToPage {
  return ({ clientX, clientY }) => {
    const box = element.getBoundingClientRect()
    const scale = Math.min(box.width / element.width, box.height / element.height)
    const left = box.left + (box.width - element.width * scale) / 2
    const top = box.top + (box.height - element.height * scale) / 2
    const { width, height } = frame.current?.viewport ?? { width: element.width, height: element.height }
    return {
      x: ((clientX - left) / (element.width * scale)) * width,
      y: ((clientY - top) / (element.height * scale)) * height,
    }
  }
}
