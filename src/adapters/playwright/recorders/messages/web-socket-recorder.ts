import type {
  WebSocketCloser,
  WebSocketDirection,
  WebSocketMessage,
} from '../../../../contract/entries/web-socket-events.ts'
import { TEXT_LIMITS } from '../../../../ports/log/log-entry.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import type { WebSocketEnd } from '../../../../ports/egress/egress.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import type { ConnectionOutcomes } from '../../network/connection-outcomes.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import { requestIdOf, type TooLarge } from '../../cdp/pipe/oversized-message.ts'
import type { TargetRegistry, TrackedPage, TrackedSession } from '../../cdp/targets/target-registry.ts'
import { MessageBatch, type MessageBudget } from './message-batch.ts'
import { headersOf } from '../exchanges/network-headers.ts'
import { storedSize, toMessage, WallClock, type MessageRedaction } from './socket-message.ts'

/**
 * How long the entry of an opening waits for the response to its handshake; after that it shows the server as
 * unresponsive.
 */
const HANDSHAKE_MS = 5_000
/** The browser's message for a response that rejects the handshake; nothing else of it is reported. */
const REFUSED = /Unexpected response code: (\d{3})$/
/** The browser's message when a page closes a socket that is not open yet. */
const CLOSED_EARLY = 'WebSocket is closed before the connection is established'

type Headers = Record<string, string>
type Counts = Record<WebSocketDirection, number>

interface Socket {
  webSocketId: number
  url: string
  session: TrackedSession
  /** Milliseconds since the epoch. */
  startedAt: number
  clock: WallClock
  status: number | null
  requestHeaders: Headers
  responseHeaders: Headers | null
  /** Until its opening is recorded. */
  opening: NodeJS.Timeout | null
  frames: Counts
  /** The part of the counts that was not stored since the last entry. */
  omitted: Counts
  batch: MessageBatch<WebSocketMessage>
  error: string | null
  /** The browser has reported its end, and the reason is still unknown. */
  isEnding: boolean
  /** Its opening was too large to be recorded; its closing is only counted, too. */
  isTooLarge: boolean
}

export interface MessageCapture {
  /** False: messages are only counted. */
  isWanted: boolean
  budget: MessageBudget
  redact: MessageRedaction
}

/** WebSockets of pages, frames and workers: their handshakes, messages in both directions, and closing. */
export class WebSocketRecorder {
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #capture: MessageCapture
  readonly #sockets = new Map<string, Socket>()
  #count = 0

  constructor(
    connection: CdpConnection,
    targets: TargetRegistry,
    recorder: EventSink,
    connections: ConnectionOutcomes,
    capture: MessageCapture,
  ) {
    this.#targets = targets
    this.#recorder = recorder
    this.#capture = capture
    connection.on('Network.webSocketCreated', ({ requestId, url }, sessionId) => {
      const session = targets.source(sessionId)
      if (!session || this.#sockets.has(requestId)) return
      this.#create(requestId, cutUrl(url), session)
    })
    connection.on('Network.webSocketWillSendHandshakeRequest', ({ requestId, request, timestamp, wallTime }) => {
      const socket = this.#sockets.get(requestId)
      if (!socket) return
      socket.clock.set(wallTime, timestamp)
      socket.requestHeaders = headersOf(request.headers)
    })
    connection.on('Network.webSocketHandshakeResponseReceived', ({ requestId, response }) => {
      const socket = this.#sockets.get(requestId)
      if (!socket) return
      socket.status = response.status
      socket.responseHeaders = headersOf(response.headers)
      if (response.requestHeaders) socket.requestHeaders = headersOf(response.requestHeaders)
      this.#opened(socket)
    })
    connection.on('Network.webSocketFrameSent', (event) => this.#frame('SENT', event))
    connection.on('Network.webSocketFrameReceived', (event) => this.#frame('RECEIVED', event))
    connection.on('Network.webSocketFrameError', (event) => {
      const socket = this.#sockets.get(event.requestId)
      if (!socket) return
      const status = REFUSED.exec(event.errorMessage)?.[1]
      if (status !== undefined) socket.status ??= Number(status)
      socket.error = cutText(event.errorMessage, TEXT_LIMITS.failure)
      connections.explain(socket.error, socket.url, socket.startedAt, (error) => {
        // For later listeners of the event.
        if (error !== socket.error) event.errorMessage = error
        socket.error = error
      })
    })
    connection.on('Network.webSocketClosed', ({ requestId }) => {
      const socket = this.#sockets.get(requestId)
      if (!socket) return
      if (socket.error === null) {
        socket.isEnding = true
        const key = socket.requestHeaders['sec-websocket-key']
        return connections.webSockets.explain(key, socket.url, (end) => this.#closedAs(requestId, end))
      }
      const by = socket.error.startsWith(CLOSED_EARLY) ? 'PAGE' : 'FAILURE'
      connections.explain(socket.error, socket.url, socket.startedAt, (error) => {
        socket.error = error
        this.#close(requestId, by)
      })
    })
    // The browser does not report the end of sockets whose document was left.
    connection.on('Page.frameNavigated', ({ frame }, sessionId) => {
      const session = targets.source(sessionId)
      if (session?.targetId === frame.id) this.#closeAll((socket) => socket.session === session, 'DOCUMENT', null)
    })
  }

  /** A frame that could not be read is counted. */
  tooLarge(event: TooLarge): void {
    const requestId = requestIdOf(event)
    const session = event.sessionId === null ? undefined : this.#targets.source(event.sessionId)
    if (requestId === null || !session) return
    const socket = this.#sockets.get(requestId)
    if (event.method === 'Network.webSocketCreated' && !socket) {
      this.#create(requestId, '', session).isTooLarge = true
      this.#recorder.missed('WEB_SOCKET_OPENED', 'MESSAGE_TOO_LARGE')
    }
    if (!socket) return
    if (event.method === 'Network.webSocketFrameSent') this.#omit(socket, 'SENT')
    if (event.method === 'Network.webSocketFrameReceived') this.#omit(socket, 'RECEIVED')
    if (event.method === 'Network.webSocketFrameError') socket.error = 'unknown: the message is too large'
  }

  /** A worker, frame or page is gone, and its sockets with it. */
  sessionEnded(session: TrackedSession): void {
    const isGone = (socket: Socket) =>
      socket.session === session || (session.type === 'page' && socket.session.page === session.page)
    this.#closeAll(isGone, 'DOCUMENT', null)
  }

  pageCrashed(page: TrackedPage): void {
    this.#closeAll(({ session }) => session.page === page, 'DOCUMENT', 'page crashed')
  }

  /** The session ends, and cuts open sockets. */
  flush(): void {
    this.#closeAll(() => true, 'SESSION', 'session ended')
  }

  dispose(): void {
    for (const { opening, batch } of this.#sockets.values()) {
      if (opening) clearTimeout(opening)
      batch.discard()
    }
    this.#sockets.clear()
  }

  #create(requestId: string, url: string, session: TrackedSession): Socket {
    const socket: Socket = {
      webSocketId: ++this.#count,
      url,
      session,
      startedAt: Date.now(),
      clock: new WallClock(),
      status: null,
      requestHeaders: {},
      responseHeaders: null,
      opening: setTimeout(() => this.#opened(socket), HANDSHAKE_MS),
      frames: { SENT: 0, RECEIVED: 0 },
      omitted: { SENT: 0, RECEIVED: 0 },
      batch: new MessageBatch(this.#capture.budget, (messages) => this.#write(socket, messages)),
      error: null,
      isEnding: false,
      isTooLarge: false,
    }
    this.#sockets.set(requestId, socket)
    return socket
  }

  #opened(socket: Socket): void {
    if (socket.opening === null) return
    clearTimeout(socket.opening)
    socket.opening = null
    if (socket.isTooLarge) return
    const { webSocketId, url, session, status, requestHeaders, responseHeaders, startedAt } = socket
    const pageId = session.page?.pageId ?? null
    const data = { webSocketId, url, pageId, status, requestHeaders, responseHeaders }
    this.#recorder.record({ kind: 'WEB_SOCKET_OPENED', at: startedAt, data })
  }

  #frame(direction: WebSocketDirection, event: CdpEvents['Network.webSocketFrameSent']): void {
    const socket = this.#sockets.get(event.requestId)
    if (!socket) return
    const { isWanted, redact } = this.#capture
    const { response: frame, timestamp } = event
    const isKept =
      isWanted &&
      !socket.isTooLarge &&
      socket.batch.add(storedSize(frame.payloadData), () =>
        toMessage(frame, direction, socket.clock.at(timestamp), redact),
      )
    if (isKept) socket.frames[direction] += 1
    else this.#omit(socket, direction)
  }

  #omit(socket: Socket, direction: WebSocketDirection): void {
    socket.frames[direction] += 1
    socket.omitted[direction] += 1
  }

  #write(socket: Socket, messages: WebSocketMessage[]): void {
    this.#opened(socket)
    const { webSocketId, url, session } = socket
    const data = { webSocketId, url, pageId: session.page?.pageId ?? null, messages, ...takeOmitted(socket) }
    this.#recorder.record({ kind: 'WEB_SOCKET_MESSAGES', at: messages.at(-1)!.at, data })
  }

  #closeAll(isGone: (socket: Socket) => boolean, by: WebSocketCloser, error: string | null): void {
    for (const [requestId, socket] of this.#sockets) {
      if (!isGone(socket)) continue
      if (socket.isEnding) this.#close(requestId, null)
      else if (socket.error !== null) this.#close(requestId, 'FAILURE')
      else {
        socket.error = error
        this.#close(requestId, by)
      }
    }
  }

  #closedAs(requestId: string, end: WebSocketEnd | null): void {
    const socket = this.#sockets.get(requestId)
    if (!socket || end === null) return this.#close(requestId, null)
    if (end.closedBy === null) socket.error = 'connection lost'
    this.#close(requestId, end.closedBy ?? 'FAILURE', end)
  }

  #close(
    requestId: string,
    closedBy: WebSocketCloser | null,
    { code = null, reason = null }: { code?: number | null; reason?: string | null } = {},
  ): void {
    const socket = this.#sockets.get(requestId)
    if (!socket) return
    this.#sockets.delete(requestId)
    this.#opened(socket)
    socket.batch.flush()
    if (socket.isTooLarge) return this.#recorder.missed('WEB_SOCKET_CLOSED', 'MESSAGE_TOO_LARGE')
    const { session, webSocketId, url, frames, error, status } = socket
    const data = {
      webSocketId,
      url,
      pageId: session.page?.pageId ?? null,
      framesSent: frames.SENT,
      framesReceived: frames.RECEIVED,
      error,
      status,
      closeCode: code,
      closeReason: reason === null ? null : cutText(this.#capture.redact(reason), TEXT_LIMITS.closeReason),
      closedBy,
      ...takeOmitted(socket),
    }
    this.#recorder.record({ kind: 'WEB_SOCKET_CLOSED', at: Date.now(), data })
  }
}

/** The counts since the last entry that included them. */
function takeOmitted({ omitted }: Socket): { omittedSent: number; omittedReceived: number } {
  const taken = { omittedSent: omitted.SENT, omittedReceived: omitted.RECEIVED }
  omitted.SENT = 0
  omitted.RECEIVED = 0
  return taken
}
