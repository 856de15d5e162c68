import type { EventSourceMessage } from '../../../../contract/entries/event-source-messages.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import { TEXT_LIMITS, type PendingRequest } from '../../../../ports/log/log-entry.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { cutText } from '../../cdp/protocol/cut-text.ts'
import { requestIdOf, type TooLarge } from '../../cdp/pipe/oversized-message.ts'
import type { TargetRegistry, TrackedPage, TrackedSession } from '../../cdp/targets/target-registry.ts'
import { MessageBatch } from './message-batch.ts'
import { storedSize, storedText, WallClock } from './socket-message.ts'
import type { MessageCapture } from './web-socket-recorder.ts'

/** The pending request that receives a stream. */
type Receiver = Pick<PendingRequest, 'requestId' | 'url' | 'pageId'>

interface Stream extends Receiver {
  session: TrackedSession
  batch: MessageBatch<EventSourceMessage>
  /** Counted instead of stored since the last entry. */
  omitted: number
}

/** Server-sent events of EventSources. The browser does not report events that a page parses from a response itself. */
export class EventSourceRecorder {
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #capture: MessageCapture
  readonly #receiverOf: (chainId: string) => Receiver | null
  readonly #streams = new Map<string, Stream>()
  readonly #clock = new WallClock()

  constructor(
    connection: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    capture: MessageCapture,
    receiverOf: (chainId: string) => Receiver | null,
  ) {
    this.#targets = targets
    this.#recorder = recorder
    this.#capture = capture
    this.#receiverOf = receiverOf
    connection.on('Network.requestWillBeSent', ({ type, wallTime, timestamp }) => {
      if (type === 'EventSource') this.#clock.set(wallTime, timestamp)
    })
    connection.on('Network.eventSourceMessageReceived', (event, sessionId) => this.#received(event, sessionId))
    connection.on('Network.loadingFinished', ({ requestId }) => this.#end(requestId))
    connection.on('Network.loadingFailed', ({ requestId }) => this.#end(requestId))
    connection.on('Page.frameNavigated', ({ frame }, sessionId) => {
      const session = targets.source(sessionId)
      if (session?.targetId === frame.id) this.#endAll((stream) => stream.session === session)
    })
  }

  /** A message that could not be read is counted. */
  tooLarge(event: TooLarge): void {
    const requestId = requestIdOf(event)
    if (event.method !== 'Network.eventSourceMessageReceived' || requestId === null) return
    const stream = this.#streamOf(requestId, event.sessionId ?? undefined)
    if (stream) stream.omitted += 1
  }

  pageCrashed(page: TrackedPage): void {
    this.#endAll((stream) => stream.session.page === page)
  }

  /** A worker, frame or page is gone, and its streams with it. */
  sessionEnded(session: TrackedSession): void {
    this.#endAll(
      (stream) => stream.session === session || (session.type === 'page' && stream.session.page === session.page),
    )
  }

  flush(): void {
    this.#endAll(() => true)
  }

  dispose(): void {
    for (const { batch } of this.#streams.values()) batch.discard()
    this.#streams.clear()
  }

  #received(event: CdpEvents['Network.eventSourceMessageReceived'], sessionId: string | undefined): void {
    if (!this.#capture.isWanted) return
    const stream = this.#streamOf(event.requestId, sessionId)
    if (!stream) return
    const { eventName, eventId, data, timestamp } = event
    const size = storedSize(data) + Math.min(eventName.length + eventId.length, 2 * TEXT_LIMITS.eventName)
    const make = (): EventSourceMessage => {
      const { text, truncated } = storedText(data, this.#capture.redact)
      return {
        at: this.#clock.at(timestamp),
        eventName: cutText(eventName, TEXT_LIMITS.eventName),
        eventId: cutText(eventId, TEXT_LIMITS.eventName),
        data: text,
        sizeBytes: Buffer.byteLength(data),
        truncated,
      }
    }
    if (!stream.batch.add(size, make)) stream.omitted += 1
  }

  #streamOf(chainId: string, sessionId: string | undefined): Stream | null {
    const known = this.#streams.get(chainId)
    if (known) return known
    const session = this.#targets.source(sessionId)
    const receiver = this.#receiverOf(chainId)
    if (!session || !receiver) return null
    const stream: Stream = {
      requestId: receiver.requestId,
      url: receiver.url,
      pageId: receiver.pageId,
      session,
      batch: new MessageBatch(this.#capture.budget, (messages) => this.#write(stream, messages)),
      omitted: 0,
    }
    this.#streams.set(chainId, stream)
    return stream
  }

  #end(chainId: string): void {
    const stream = this.#streams.get(chainId)
    if (!stream) return
    this.#streams.delete(chainId)
    stream.batch.flush()
    if (stream.omitted > 0) this.#write(stream, [])
  }

  #endAll(isGone: (stream: Stream) => boolean): void {
    for (const [chainId, stream] of this.#streams) if (isGone(stream)) this.#end(chainId)
  }

  #write(stream: Stream, messages: EventSourceMessage[]): void {
    const { requestId, url, pageId, omitted } = stream
    stream.omitted = 0
    const at = messages.at(-1)?.at ?? Date.now()
    const data = { requestId, url, pageId, messages, omitted }
    this.#recorder.record({ kind: 'EVENT_SOURCE_MESSAGES', at, data })
  }
}
