import type { ResultOf } from 'gql.tada'
import type { Api } from '../api/api.ts'
import { Screencast } from '../api/operations.ts'

export type Frame = ResultOf<typeof Screencast>['screencast']

export interface ScreencastSink {
  /** Called after a frame was drawn. */
  drawn(frame: Frame): void
  /** Called when no more frames will arrive. */
  ended(): void
  fail(problem: string): void
}

/** Draws the live view of a page for as long as the window is visible; returns a function that stops it. */
export function drawScreencast(
  api: Api,
  canvas: HTMLCanvasElement,
  variables: { session: string; page: string | null; maxWidth: number },
  sink: ScreencastSink,
): () => void {
  let stop: (() => void) | null = null
  let waiting: Frame | null = null
  let isDrawing = false
  let isOver = false

  const draw = async () => {
    if (isDrawing) return
    isDrawing = true
    // Draws only the newest of the frames that arrive faster than they can be drawn.
    while (waiting && !isOver) {
      const frame: Frame = waiting
      waiting = null
      try {
        const image = await createImageBitmap(new Blob([bytesOf(frame.data)], { type: 'image/jpeg' }))
        canvas.width = image.width
        canvas.height = image.height
        canvas.getContext('2d')?.drawImage(image, 0, 0)
        image.close()
        sink.drawn(frame)
      } catch {
        // An undecodable frame is followed by another.
      }
    }
    isDrawing = false
  }
  const begin = () => {
    stop ??= api.follow(Screencast, variables, {
      next: ({ screencast }) => {
        waiting = screencast
        void draw()
      },
      complete: () => sink.ended(),
      fail: (problem) => {
        stop = null
        sink.fail(problem)
      },
    })
  }
  const end = () => {
    stop?.()
    stop = null
  }
  const onVisibility = () => (document.visibilityState === 'visible' ? begin() : end())
  document.addEventListener('visibilitychange', onVisibility)
  onVisibility()
  return () => {
    isOver = true
    document.removeEventListener('visibilitychange', onVisibility)
    end()
  }
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at)
  return bytes
}
