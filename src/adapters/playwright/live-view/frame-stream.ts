import type { PageFrame, PictureOptions } from '../../../ports/live-view.ts'

export type CastFrame = Omit<PageFrame, 'skipped'>

/** Who gives a stream its frames. */
export interface FrameSource {
  /** The reader wants its first frame. */
  begun(stream: FrameStream): void
  /** There is no reader any more. Called once, also when it never began. */
  closed(stream: FrameStream): void
}

/**
 * What one reader gets to see: a slot that holds the newest frame, so that a slow reader costs no memory and never sees
 * an old picture.
 *
 * An iterator written by hand, because `return()` of an async generator waits for the `await` it is in; this one frees
 * everything at once.
 */
export class FrameStream implements AsyncIterableIterator<PageFrame, undefined> {
  /** The page that was asked for; null: the one in front. */
  readonly pageId: string | null
  readonly options: PictureOptions
  readonly #source: FrameSource
  readonly #signal: AbortSignal
  #slot: CastFrame | null = null
  #skipped = 0
  #dueAt = 0
  #isWaiting = false
  #begun = false
  #closed = false
  #wake: (() => void) | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(pageId: string | null, options: PictureOptions, source: FrameSource, signal: AbortSignal) {
    this.pageId = pageId
    this.options = options
    this.#source = source
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** How long a reader that gets all that it wants waits between two frames. */
  get intervalMs(): number {
    return 1_000 / this.options.maxFps
  }

  offer(frame: CastFrame): void {
    if (this.#closed) return
    // One that the reader waits for, but may not have yet, is left out as it asked.
    if (this.#slot && !this.#isWaiting) this.#skipped += 1
    this.#slot = frame
    this.#wake?.()
  }

  /** The reader gets no more. */
  end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#slot = null
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#source.closed(this)
    this.#wake?.()
  }

  next(): Promise<IteratorResult<PageFrame, undefined>> {
    const turn = this.#turn.then(() => this.#pull())
    this.#turn = turn.catch(() => {})
    return turn
  }

  async return(): Promise<IteratorResult<PageFrame, undefined>> {
    this.end()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<PageFrame, undefined>> {
    this.end()
    throw error
  }

  readonly #onAbort = () => this.end()

  async #pull(): Promise<IteratorResult<PageFrame, undefined>> {
    this.#begin()
    this.#isWaiting = true
    while (!this.#closed && this.#missingMs() > 0) await this.#untilWoken(this.#missingMs())
    this.#isWaiting = false
    const frame = this.#slot
    if (!frame) return { done: true, value: undefined }
    const skipped = this.#skipped
    this.#slot = null
    this.#skipped = 0
    this.#dueAt = performance.now() + this.intervalMs
    return { done: false, value: { ...frame, skipped } }
  }

  #begin(): void {
    if (this.#begun || this.#closed) return
    this.#begun = true
    if (this.#signal.aborted) return this.end()
    this.#signal.addEventListener('abort', this.#onAbort)
    this.#source.begun(this)
  }

  /** Until the reader may have the frame in the slot. */
  #missingMs(): number {
    return this.#slot ? this.#dueAt - performance.now() : Number.POSITIVE_INFINITY
  }

  #untilWoken(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => done(), ms)
      const done = () => {
        clearTimeout(timer)
        this.#wake = null
        resolve()
      }
      this.#wake = done
    })
  }
}
