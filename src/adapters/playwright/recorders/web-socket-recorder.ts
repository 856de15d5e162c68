import { TEXT_LIMITS } from '../../../ports/log-entry.ts'
import type { EventSink } from '../../../ports/browser.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { ConnectionOutcomes } from '../network/connection-outcomes.ts'
import { cutText, cutUrl } from '../cdp/protocol/cut-text.ts'
import { requestIdOf, type TooLarge } from '../cdp/pipe/oversized-message.ts'
import type { TargetRegistry, TrackedSession } from '../cdp/targets/target-registry.ts'

interface Socket {
  webSocketId: number
  url: string
  session: TrackedSession
  /** Milliseconds since the epoch. */
  startedAt: number
  framesSent: number
  framesReceived: number
  error: string | null
  /** Its opening was too large to be recorded; its closing is counted, too. */
  isTooLarge: boolean
}

/** WebSockets of pages, frames and workers: when they open and close, and how many frames went either way. */
export class WebSocketRecorder {
  readonly #targets: TargetRegistry
  readonly #recorder: EventSink
  readonly #sockets = new Map<string, Socket>()
  #count = 0

  constructor(wire: CdpConnection, targets: TargetRegistry, recorder: EventSink, connections: ConnectionOutcomes) {
    this.#targets = targets
    this.#recorder = recorder
    wire.on('Network.webSocketCreated', ({ requestId, url }, sessionId) => {
      const session = targets.speaker(sessionId)
      if (!session || this.#sockets.has(requestId)) return
      const socket: Socket = {
        webSocketId: ++this.#count,
        url: cutUrl(url),
        session,
        startedAt: Date.now(),
        framesSent: 0,
        framesReceived: 0,
        error: null,
        isTooLarge: false,
      }
      this.#sockets.set(requestId, socket)
      const pageId = session.page?.pageId ?? null
      const { webSocketId } = socket
      recorder.record({ kind: 'WEB_SOCKET_OPENED', at: Date.now(), data: { webSocketId, url: socket.url, pageId } })
    })
    wire.on('Network.webSocketFrameSent', ({ requestId }) => {
      const socket = this.#sockets.get(requestId)
      if (socket) socket.framesSent++
    })
    wire.on('Network.webSocketFrameReceived', ({ requestId }) => {
      const socket = this.#sockets.get(requestId)
      if (socket) socket.framesReceived++
    })
    wire.on('Network.webSocketFrameError', (event) => {
      const socket = this.#sockets.get(event.requestId)
      if (!socket) return
      socket.error = cutText(event.errorMessage, TEXT_LIMITS.failure)
      connections.explain(socket.error, socket.url, socket.startedAt, (error) => {
        // For whoever hears the event after us, the HAR among them.
        if (error !== socket.error) event.errorMessage = error
        socket.error = error
      })
    })
    wire.on('Network.webSocketClosed', ({ requestId }) => {
      const socket = this.#sockets.get(requestId)
      if (!socket || socket.error === null) return this.#close(requestId)
      connections.explain(socket.error, socket.url, socket.startedAt, (error) => {
        socket.error = error
        this.#close(requestId)
      })
    })
  }

  /** Of a frame that could not be read it is known that there was one. */
  tooLarge(event: TooLarge): void {
    const requestId = requestIdOf(event)
    const session = event.sessionId === null ? undefined : this.#targets.speaker(event.sessionId)
    if (requestId === null || !session) return
    const socket = this.#sockets.get(requestId)
    if (event.method === 'Network.webSocketCreated' && !socket) {
      const counts = { startedAt: Date.now(), framesSent: 0, framesReceived: 0, error: null }
      this.#sockets.set(requestId, { webSocketId: ++this.#count, url: '', session, ...counts, isTooLarge: true })
      this.#recorder.missed('WEB_SOCKET_OPENED', 'MESSAGE_TOO_LARGE')
    }
    if (!socket) return
    if (event.method === 'Network.webSocketFrameSent') socket.framesSent++
    if (event.method === 'Network.webSocketFrameReceived') socket.framesReceived++
    if (event.method === 'Network.webSocketFrameError') socket.error = 'unknown: the message is too large'
  }

  /** A worker, frame or page is gone, and its sockets with it. */
  sessionEnded(session: TrackedSession): void {
    for (const [requestId, socket] of this.#sockets) {
      const isGone = socket.session === session || (session.type === 'page' && socket.session.page === session.page)
      if (isGone) this.#close(requestId)
    }
  }

  /** The session ends, and cuts what is still open. */
  flush(): void {
    for (const [requestId, socket] of this.#sockets) {
      socket.error ??= 'session ended'
      this.#close(requestId)
    }
  }

  #close(requestId: string): void {
    const socket = this.#sockets.get(requestId)
    if (!socket) return
    this.#sockets.delete(requestId)
    const { session, isTooLarge, webSocketId, url, framesSent, framesReceived, error } = socket
    if (isTooLarge) return this.#recorder.missed('WEB_SOCKET_CLOSED', 'MESSAGE_TOO_LARGE')
    const data = { webSocketId, url, framesSent, framesReceived, error, pageId: session.page?.pageId ?? null }
    this.#recorder.record({ kind: 'WEB_SOCKET_CLOSED', at: Date.now(), data })
  }
}
