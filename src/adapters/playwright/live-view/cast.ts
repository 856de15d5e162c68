import type { Logger } from '../../../logger.ts'
import type { PictureOptions } from '../../../ports/live-view.ts'
import type { BrowserWire } from '../browser-wire.ts'
import type { CdpEvents } from '../cdp-events.ts'
import type { Targets } from '../targets.ts'
import type { CastFrame, FrameStream } from './frame-stream.ts'
import { jpegSize } from './jpeg-size.ts'

/** So many frames the browser sends without an answer; what changes then is not told until the next change. */
const UNANSWERED_MOST = 3
/** Pauses shorter than this would not spare the browser a frame. */
const SHORTEST_PAUSE_MS = 40

/** How its readers see the page. */
export type CastOptions = Pick<PictureOptions, 'maxWidth' | 'maxHeight' | 'quality'>

/** One page that is shown. */
export interface ShownPage {
  targetId: string
  pageId: string
}

/**
 * The picture of one page, in one size and quality, for all who want it so. It has a session of the protocol of its own:
 * a session has one screencast, and Playwright's may be busy with a video. The browser sends a frame when a cast starts,
 * also of a page that stands still or hangs, and then one for each change, every one of them (`everyNthFrame` would leave
 * out the last change of a page that stands still afterwards).
 */
export class Cast {
  readonly page: ShownPage
  readonly #options: CastOptions
  readonly #wire: BrowserWire
  readonly #targets: Targets
  readonly #logger: Logger
  readonly #streams = new Set<FrameStream>()
  readonly #starting: Promise<string | null>
  #sessionId: string | null = null
  #latest: CastFrame | null = null
  #unanswered: number[] = []
  #pause: NodeJS.Timeout | null = null
  #stopped = false

  constructor(page: ShownPage, options: CastOptions, wire: BrowserWire, targets: Targets, logger: Logger) {
    this.page = page
    this.#options = options
    this.#wire = wire
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
    if (this.#pause) this.#goOn()
  }

  remove(stream: FrameStream): void {
    this.#streams.delete(stream)
  }

  heard({ data, metadata, sessionId }: CdpEvents['Page.screencastFrame']): void {
    if (this.#stopped) return
    const { deviceWidth, deviceHeight, timestamp } = metadata
    const viewport = { width: Math.round(deviceWidth), height: Math.round(deviceHeight) }
    const at = timestamp === undefined ? Date.now() : Math.round(timestamp * 1_000)
    const { pageId } = this.page
    this.#latest = { at, pageId, jpeg: data, ...(jpegSize(data) ?? viewport), viewport }
    this.#unanswered.push(sessionId)
    for (const stream of this.#streams) stream.offer(this.#latest)
    const pauseMs = Math.min(...[...this.#streams].map(({ intervalMs }) => intervalMs))
    if (pauseMs < SHORTEST_PAUSE_MS) this.#goOn()
    else this.#pause ??= setTimeout(() => this.#goOn(), pauseMs)
  }

  /** Ends the screencast; nothing of it is left in the browser. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#pause) clearTimeout(this.#pause)
    const sessionId = await this.#starting
    if (sessionId === null) return
    this.#wire.tell('Page.stopScreencast', {}, sessionId)
    this.#wire.tell('Target.detachFromTarget', { sessionId }, this.#targets.ownSessionId)
  }

  async #start(): Promise<string | null> {
    try {
      const given = { targetId: this.page.targetId, flatten: true }
      const own = this.#targets.ownSessionId
      const { sessionId } = await this.#wire.send<{ sessionId: string }>('Target.attachToTarget', given, own)
      this.#sessionId = sessionId
      if (!this.#stopped) this.#tellStart(sessionId)
      return sessionId
    } catch (error) {
      // The page, or the browser, is gone.
      this.#logger.debug({ err: error, ...this.page }, 'a page could not be shown')
      return null
    }
  }

  #tellStart(sessionId: string): void {
    const { maxWidth, maxHeight, quality } = this.#options
    const size = { ...(maxWidth === null ? {} : { maxWidth }), ...(maxHeight === null ? {} : { maxHeight }) }
    this.#wire.tell('Page.startScreencast', { format: 'jpeg', quality, ...size }, sessionId)
  }

  /** Asks for more. The browser forgets what changed while it had no answer, but a fresh start shows it. */
  #goOn(): void {
    if (this.#pause) clearTimeout(this.#pause)
    this.#pause = null
    const sessionId = this.#sessionId!
    if (this.#unanswered.length >= UNANSWERED_MOST) {
      this.#wire.tell('Page.stopScreencast', {}, sessionId)
      this.#tellStart(sessionId)
    } else {
      for (const frame of this.#unanswered) {
        this.#wire.tell('Page.screencastFrameAck', { sessionId: frame }, sessionId)
      }
    }
    this.#unanswered = []
  }
}
