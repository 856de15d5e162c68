import type { Logger } from '../../../logger.ts'
import type { PictureOptions } from '../../../ports/browser/live-view.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { CdpEvents } from '../cdp/protocol/cdp-events.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import type { ScreencastFrame, FrameStream } from './frame-stream.ts'
import { jpegSize } from './jpeg-size.ts'

/** So many frames the browser sends without an answer. It forgets what changes then. */
const MAX_UNANSWERED = 3
/** A page that has not changed for so long stands still. */
const STILL_MS = 200
/** Pauses shorter than this would not spare the browser a frame. */
const SHORTEST_PAUSE_MS = 40
/** While a page goes from one process to another the browser refuses to show it. */
const START_AGAIN_MS = 50

/** How its readers see the page. */
export type ScreencastOptions = Pick<PictureOptions, 'maxWidth' | 'maxHeight' | 'quality'>

/** One page that is shown. */
export interface ScreencastPage {
  targetId: string
  pageId: string
}

interface ReceivedFrame {
  number: number
  at: number
  /** When the browser had read the answer, at the latest. */
  answeredAt: number
}

/**
 * The picture of one page, in one size and quality, for all who want it so. It has a session of the protocol of its own:
 * a session has one screencast, and Playwright's may be busy with a video. The browser sends a frame when a cast starts,
 * also of a page that stands still or hangs, and then one for each change (with `everyNthFrame` it would leave out the last
 * change of a page that stands still afterwards). What it forgot because it waited for answers shows in a fresh start.
 */
export class Screencast {
  readonly page: ScreencastPage
  readonly #options: ScreencastOptions
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  readonly #logger: Logger
  readonly #streams = new Set<FrameStream>()
  readonly #starting: Promise<string | null>
  #sessionId: string | null = null
  #latest: ScreencastFrame | null = null
  #unanswered: ReceivedFrame[] = []
  /** The last ones, oldest first. */
  #received: ReceivedFrame[] = []
  #pause: NodeJS.Timeout | null = null
  #untilStill: NodeJS.Timeout | null = null
  #untilStart: NodeJS.Timeout | undefined
  #stopped = false

  constructor(
    page: ScreencastPage,
    options: ScreencastOptions,
    connection: CdpConnection,
    targets: TargetRegistry,
    logger: Logger,
  ) {
    this.page = page
    this.#options = options
    this.#connection = connection
    this.#targets = targets
    this.#logger = logger
    this.#starting = this.#start()
  }

  /** Of the protocol; null until it is there. */
  get sessionId(): string | null {
    return this.#sessionId
  }

  get isWatched(): boolean {
    return this.#streams.size > 0
  }

  add(stream: FrameStream): void {
    this.#streams.add(stream)
    if (this.#latest) stream.offer(this.#latest)
    // It may want more frames than those before it.
    if (this.#pause) this.#resume()
  }

  remove(stream: FrameStream): void {
    this.#streams.delete(stream)
  }

  received({ data, metadata, sessionId }: CdpEvents['Page.screencastFrame']): void {
    if (this.#stopped) return
    const { deviceWidth, deviceHeight, timestamp } = metadata
    const viewport = { width: Math.round(deviceWidth), height: Math.round(deviceHeight) }
    const at = timestamp === undefined ? Date.now() : Math.round(timestamp * 1_000)
    const { pageId } = this.page
    this.#note({ number: sessionId, at, answeredAt: Number.POSITIVE_INFINITY })
    const isNew = data !== this.#latest?.jpeg
    this.#latest = { at, pageId, jpeg: data, ...(jpegSize(data) ?? viewport), viewport }
    if (isNew) for (const stream of this.#streams) stream.offer(this.#latest)
    const pauseMs = Math.min(...[...this.#streams].map(({ intervalMs }) => intervalMs))
    if (pauseMs < SHORTEST_PAUSE_MS) this.#resume()
    else this.#pause ??= setTimeout(() => this.#resume(), pauseMs)
  }

  /** Ends the screencast; nothing of it is left in the browser. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#clearTimers()
    clearTimeout(this.#untilStart)
    const sessionId = await this.#starting
    if (sessionId === null) return
    this.#connection.notify('Page.stopScreencast', {}, sessionId)
    this.#connection.notify('Target.detachFromTarget', { sessionId }, this.#targets.ownSessionId)
  }

  async #start(): Promise<string | null> {
    try {
      const given = { targetId: this.page.targetId, flatten: true }
      const own = this.#targets.ownSessionId
      const { sessionId } = await this.#connection.send('Target.attachToTarget', given, own)
      this.#sessionId = sessionId
      if (!this.#stopped) this.#begin(sessionId)
      return sessionId
    } catch (error) {
      // The page, or the browser, is gone.
      this.#logger.debug({ err: error, ...this.page }, 'a page could not be shown')
      return null
    }
  }

  #begin(sessionId: string): void {
    const { maxWidth, maxHeight, quality } = this.#options
    const size = { ...(maxWidth === null ? {} : { maxWidth }), ...(maxHeight === null ? {} : { maxHeight }) }
    this.#connection
      .send('Page.startScreencast', { format: 'jpeg', quality, ...size }, sessionId)
      .catch((error: unknown) => {
        this.#logger.trace({ err: error, ...this.page }, 'a page cannot be shown yet')
        if (this.#stopped) return
        clearTimeout(this.#untilStart)
        this.#untilStart = setTimeout(() => this.#startAgain(), START_AGAIN_MS)
      })
  }

  #note(frame: ReceivedFrame): void {
    this.#unanswered.push(frame)
    this.#received = [...this.#received, frame].slice(-MAX_UNANSWERED)
  }

  /** Answers, so that more frames come. */
  #resume(): void {
    this.#clearTimers()
    if (this.#unanswered.length >= MAX_UNANSWERED) return this.#startAgain()
    for (const frame of this.#unanswered) void this.#answer(frame)
    this.#unanswered = []
  }

  async #answer(frame: ReceivedFrame): Promise<void> {
    // One that is not taken any more was read as well.
    await Promise.allSettled([
      this.#connection.send('Page.screencastFrameAck', { sessionId: frame.number }, this.#sessionId!),
    ])
    frame.answeredAt = Date.now()
    if (this.#stopped || frame !== this.#received.at(-1) || !this.#mayHaveMissed()) return
    this.#untilStill ??= setTimeout(() => this.#startAgain(), STILL_MS)
  }

  /** Whether as many answers as the browser goes without were still missing when it sent the last frame. */
  #mayHaveMissed(): boolean {
    const last = this.#received[MAX_UNANSWERED - 1]
    return last !== undefined && this.#received[0]!.answeredAt >= last.at
  }

  #startAgain(): void {
    this.#clearTimers()
    clearTimeout(this.#untilStart)
    this.#unanswered = []
    this.#received = []
    this.#connection.notify('Page.stopScreencast', {}, this.#sessionId!)
    this.#begin(this.#sessionId!)
  }

  #clearTimers(): void {
    for (const timer of [this.#pause, this.#untilStill]) if (timer) clearTimeout(timer)
    this.#pause = null
    this.#untilStill = null
  }
}
