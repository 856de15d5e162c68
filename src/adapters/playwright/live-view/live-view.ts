import type { Logger } from '../../../logger.ts'
import { bound } from '../../../fault-owner.ts'
import type { InputEvent } from '../../../contract/input-event.ts'
import type { InputOutcome, PageFrames, PictureOptions } from '../../../ports/browser/live-view.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'
import { Screencast, type ScreencastPage } from './screencast.ts'
import { FrameStream } from './frame-stream.ts'
import { PageInputDispatcher, type TypingWatch } from './page-input-dispatcher.ts'

/** What people see of one browser's pages, and what they do with them. */
export class LiveView {
  readonly #connection: CdpConnection
  readonly #targets: TargetRegistry
  readonly #typing: TypingWatch
  readonly #logger: Logger
  /** Readers that have begun, and what each is shown: null while there is no page. */
  readonly #streams = new Map<FrameStream, Screencast | null>()
  readonly #screencasts = new Map<string, Screencast>()
  readonly #hands = new Map<string, PageInputDispatcher>()
  /** Others may watch it when the one for whom it began has left. */
  readonly #newScreencast = bound(
    (page: ScreencastPage, options: PictureOptions) =>
      new Screencast(page, options, this.#connection, this.#targets, this.#logger),
  )
  #ended = false

  constructor(connection: CdpConnection, targets: TargetRegistry, typing: TypingWatch, logger: Logger) {
    this.#connection = connection
    this.#typing = typing
    this.#targets = targets
    this.#logger = logger
    connection.on('Page.screencastFrame', (frame, sessionId) => {
      for (const screencast of this.#screencasts.values())
        if (screencast.sessionId === sessionId) screencast.received(frame)
    })
    connection.on('Input.dragIntercepted', ({ data }, sessionId) => {
      for (const hand of this.#hands.values()) hand.dragBegan(data, sessionId)
    })
    connection.onClose(() => this.endWatching())
    targets.onFrontChange(() => this.#look())
  }

  /** See BrowserSession.watch. */
  watch(pageId: string | null, options: PictureOptions, signal: AbortSignal): PageFrames {
    const source = {
      begun: (stream: FrameStream) => {
        if (this.#ended) return stream.end()
        this.#streams.set(stream, null)
        this.#show(stream)
      },
      closed: (stream: FrameStream) => {
        this.#leave(stream)
        this.#streams.delete(stream)
      },
    }
    return new FrameStream(pageId, options, source, signal)
  }

  /** See BrowserSession.endWatching. */
  endWatching(): void {
    this.#ended = true
    for (const stream of this.#streams.keys()) stream.end()
  }

  /** See BrowserSession.dispatchInput. */
  async dispatchInput(pageId: string | null, events: readonly InputEvent[]): Promise<InputOutcome> {
    const page = this.#page(pageId)
    if (!page) return 'NO_PAGE'
    let hand = this.#hands.get(page.targetId)
    if (!hand) {
      hand = new PageInputDispatcher(page, this.#connection, this.#targets, this.#typing, this.#logger)
      this.#hands.set(page.targetId, hand)
    }
    return (await hand.take(events)) ? 'TAKEN' : 'NOT_ANSWERED'
  }

  #look(): void {
    for (const stream of this.#streams.keys()) this.#show(stream)
    for (const [targetId] of this.#hands) if (this.#targets.pageIdOf(targetId) === null) this.#hands.delete(targetId)
  }

  /** The stream is shown the page that it should be shown now. */
  #show(stream: FrameStream): void {
    const page = this.#page(stream.pageId)
    if (!page && stream.pageId !== null) return stream.end()
    const { maxWidth, maxHeight, quality } = stream.options
    const key = page && [page.targetId, maxWidth, maxHeight, quality].join()
    let screencast = key === null ? null : this.#screencasts.get(key)
    if (screencast && this.#streams.get(stream) === screencast) return
    this.#leave(stream)
    if (!page || key === null) return
    if (!screencast) this.#screencasts.set(key, (screencast = this.#newScreencast(page, stream.options)))
    this.#streams.set(stream, screencast)
    screencast.add(stream)
  }

  #leave(stream: FrameStream): void {
    const screencast = this.#streams.get(stream)
    if (!screencast) return
    this.#streams.set(stream, null)
    screencast.remove(stream)
    if (screencast.isWatched) return
    for (const [key, one] of this.#screencasts) if (one === screencast) this.#screencasts.delete(key)
    void screencast.stop()
  }

  /** Null: there is none. */
  #page(wanted: string | null): ScreencastPage | null {
    const pageId = wanted ?? this.#targets.frontPageId()
    const targetId = pageId === null ? null : this.#targets.targetIdOf(pageId)
    return pageId === null || targetId === null ? null : { targetId, pageId }
  }
}
