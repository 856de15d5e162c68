import { PulledStream } from '../../../async/pulled-stream.ts'
import type { PageFrame, PictureOptions } from '../../../ports/browser/live-view.ts'

export type ScreencastFrame = Omit<PageFrame, 'skipped'>

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
 */
export class FrameStream extends PulledStream<PageFrame> {
  /** The page that was asked for; null: the one in front. */
  readonly pageId: string | null
  readonly options: PictureOptions
  readonly #source: FrameSource
  #slot: ScreencastFrame | null = null
  #skipped = 0
  #dueAt = 0
  #isWaiting = false

  constructor(pageId: string | null, options: PictureOptions, source: FrameSource, signal: AbortSignal) {
    super(signal)
    this.pageId = pageId
    this.options = options
    this.#source = source
  }

  /** How long a reader that gets all that it wants waits between two frames. */
  get intervalMs(): number {
    return 1_000 / this.options.maxFps
  }

  offer(frame: ScreencastFrame): void {
    if (this.hasEnded) return
    // One that the reader waits for, but may not have yet, is left out as it asked.
    if (this.#slot && !this.#isWaiting) this.#skipped += 1
    this.#slot = frame
    this.wake()
  }

  protected begin(): void {
    this.#source.begun(this)
  }

  protected async pull(): Promise<PageFrame | null> {
    this.#isWaiting = true
    await this.#untilDue()
    this.#isWaiting = false
    const frame = this.#slot
    if (!frame) return null
    const skipped = this.#skipped
    this.#slot = null
    this.#skipped = 0
    this.#dueAt = performance.now() + this.intervalMs
    return { ...frame, skipped }
  }

  protected free(): void {
    this.#slot = null
    this.#source.closed(this)
  }

  /** Until there is a frame that the reader may have. */
  async #untilDue(): Promise<void> {
    while (!this.hasEnded) {
      this.forgetNews()
      const missingMs = this.#missingMs()
      if (missingMs <= 0) return
      await this.untilNews(missingMs)
    }
  }

  /** Until the reader may have the frame in the slot. */
  #missingMs(): number {
    return this.#slot ? this.#dueAt - performance.now() : Number.POSITIVE_INFINITY
  }
}
