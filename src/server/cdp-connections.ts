import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { WebSocketServer, type WebSocket } from 'ws'
import {
  CLIENT_MEMORY_BYTES,
  CLIENT_MESSAGE_BYTES,
  MemoryBudget,
  type MemoryHolder,
} from '../domain/kernel/memory-budget.ts'
import { TabwireError } from '../domain/kernel/errors.ts'
import { saysEnded } from '../domain/kernel/session-state.ts'
import type { SessionDirectory } from '../domain/sessions/session-directory.ts'
import type { AttachedClient, SessionHandle } from '../domain/sessions/session-handle.ts'
import { cdpSubject, type LinkEnd, type LinkTerms, type SignedLinks } from '../domain/links/signed-links.ts'
import { CDP_CLOSE } from '../contract/cdp-close-codes.ts'
import { CDP_PATH } from '../http-paths.ts'
import type { CdpClient } from '../ports/browser/cdp-client.ts'
import type { ClientDetachReason } from '../ports/log/log-entry.ts'
import { uuidOf } from '../contract/global-id.ts'
import { answerJson } from './base/json-response.ts'
import { TooManyConnections, type Connections } from './base/connections.ts'
import { linkQueryOf } from './files/signed-link-responses.ts'
import { userOfPeer } from './base/local-peer.ts'
import { closeReason } from './graphql/websocket-text.ts'
import { SplitFrames } from './base/split-frames.ts'
import { isUtf8InParts } from './base/utf8-parts.ts'
import { refuseUpgrade } from './graphql/websocket.ts'

const CLOSE_MS = 1_000
/**
 * A debugger may pause a client for as long as a person thinks: only a network without any response ends a connection.
 */
const KEEP_ALIVE_MS = 30_000
/** How long to wait until an unavailable store may work again. */
const RETRY_SECONDS = 5
const VERSION = '/json/version'

/** WebSocket connections of CDP clients to a session: /cdp/<session>?expires=…&maker=…&signature=… */
export class CdpConnections {
  readonly #sessions: SessionDirectory
  readonly #links: SignedLinks
  readonly #all: Connections
  readonly #logger: Logger
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    // Compression costs more time than it saves.
    perMessageDeflate: false,
    maxPayload: CLIENT_MESSAGE_BYTES,
    // Checked here, since messages come in parts.
    skipUTF8Validation: true,
  })
  readonly #connections = new Set<Connection>()
  readonly #memory: MemoryBudget
  #closed = false

  /** `memory`: of all clients of this machine. */
  constructor(
    sessions: SessionDirectory,
    links: SignedLinks,
    all: Connections,
    logger: Logger,
    memory = new MemoryBudget(CLIENT_MEMORY_BYTES),
  ) {
    this.#sessions = sessions
    this.#links = links
    this.#all = all
    this.#logger = logger
    this.#memory = memory
  }

  /** GET /cdp/<session>/json/version: how clients that are given an HTTP URL find the WebSocket. */
  async serve(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    response.setHeader('cache-control', 'no-store')
    const rest = url.pathname.slice(CDP_PATH.length)
    const [id = '', ...path] = rest.split('/')
    const link = await this.#linkOf(id, url)
    if (!link) return answerUnauthorized(response)
    if (`/${path.join('/')}`.replace(/\/$/, '') !== VERSION || request.method !== 'GET') {
      const message = `There are ${VERSION} below this link, and a WebSocket at it.`
      return answerJson(response, 404, { error: { code: 'NOT_FOUND', message } })
    }
    const version = await link.session.browserVersion()
    const own = this.#links.url(`${CDP_PATH}${id}`, Object.fromEntries(url.searchParams))
    answerJson(response, 200, {
      Browser: version.product,
      'Protocol-Version': version.protocolVersion,
      'User-Agent': version.userAgent,
      'V8-Version': version.jsVersion,
      'WebKit-Version': version.revision,
      webSocketDebuggerUrl: own.replace(/^http/, 'ws'),
    })
  }

  /** Handles an HTTP upgrade. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, url: URL): void {
    const id = url.pathname.slice(CDP_PATH.length).replace(/\/$/, '')
    this.#linkOf(id, url)
      .then((link) => {
        if (!link) return refuseUpgrade(stream, '401 Unauthorized')
        if (this.#closed) return refuseUpgrade(stream, '503 Service Unavailable')
        this.#all.of(request.socket).admit(link.session.owner, 'link')
        this.#open(request, head, link)
      })
      .catch((error: unknown) => {
        const isFull = error instanceof TooManyConnections
        if (!isFull) this.#logger.warn({ err: error }, 'the link of a client could not be checked')
        const seconds = isFull ? error.retryAfterSeconds : RETRY_SECONDS
        refuseUpgrade(stream, '503 Service Unavailable', `Retry-After: ${seconds}\r\n`)
      })
  }

  /** Tells each client that the server is shutting down, and waits until all have left or were disconnected. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#connections].map((connection) => connection.closed(1001, 'Going away')))
    this.#webSockets.close()
  }

  #open(request: IncomingMessage, head: Buffer, { session, terms }: CdpLink): void {
    request.socket.setKeepAlive(true, KEEP_ALIVE_MS)
    let connection: Connection | null = null
    const grown = () => connection && this.#memory.note(connection)
    const frames = new SplitFrames(request.socket, head, CLIENT_MESSAGE_BYTES, grown)
    this.#webSockets.handleUpgrade(request, frames, NOTHING, (socket) => {
      const own = new Connection(socket, frames, () => userOfPeer(request), this.#memory, this.#logger)
      connection = own
      this.#all.of(request.socket).onFault(() => own.failed())
      this.#connections.add(own)
      const unwatch = this.#links.onEnd(terms, (why) => own.endLink(why))
      void own.gone.then(() => {
        this.#connections.delete(own)
        this.#memory.forget(own)
        connection = null
        unwatch()
      })
      const name = request.headers['user-agent'] ?? 'unknown'
      own.serve(() => session.attachClient(name, own))
    })
  }

  /** Null: the link is invalid, or the session is not running; the client does not learn which. */
  async #linkOf(id: string, url: URL): Promise<CdpLink | null> {
    const uuid = uuidOf('Session', id)
    const terms = uuid && (await this.#links.read('cdp', cdpSubject(uuid), linkQueryOf(url)))
    const session = terms ? await this.#sessions.findRunning(uuid) : null
    return terms && session ? { session, terms } : null
  }
}

/** The target of a valid link. */
interface CdpLink {
  session: SessionHandle
  terms: LinkTerms
}

/** One client's socket, from its upgrade until both sides have released it. */
class Connection implements CdpClient, MemoryHolder {
  readonly localUser: () => Promise<number | null>
  /** Resolves once its socket is closed. */
  readonly gone: Promise<void>
  readonly #isGone: () => void
  readonly #socket: WebSocket
  readonly #frames: SplitFrames
  readonly #memory: MemoryBudget
  readonly #logger: Logger
  #attached: AttachedClient | null = null
  #cutOff: NodeJS.Timeout | undefined
  #why: ClientDetachReason | null = null
  /** The close code; null: it is open. */
  #endedWith: number | null = null
  /** Of messages that are being handled. */
  #handledBytes = 0

  constructor(
    socket: WebSocket,
    frames: SplitFrames,
    localUser: () => Promise<number | null>,
    memory: MemoryBudget,
    logger: Logger,
  ) {
    this.localUser = localUser
    this.#socket = socket
    this.#frames = frames
    this.#memory = memory
    this.#logger = logger
    const { promise, resolve } = Promise.withResolvers<void>()
    this.gone = promise
    this.#isGone = resolve
    // ws closes the socket itself after an error: an invalid or oversized frame, or a broken connection.
    socket.on('error', (error) => {
      this.#why = 'CUT_OFF'
      logger.debug({ err: error }, 'the connection of a client failed')
    })
    socket.once('close', (code) => this.#ended(code))
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount
  }

  get heldBytes(): number {
    return this.#frames.heldBytes + this.#handledBytes + this.#socket.bufferedAmount
  }

  closeForMemory(): void {
    this.#logger.info(
      { bytes: this.heldBytes },
      'clients hold too much memory: the connection that holds the most ends',
    )
    this.close(CDP_CLOSE.tooMuchHeld, 'all clients together hold too much memory, this connection the most')
  }

  /** Nothing is read until the client is attached; earlier messages are delivered then. */
  serve(attach: () => Promise<AttachedClient>): void {
    const socket = this.#socket
    socket.pause()
    socket.binaryType = 'fragments'
    const serving = attach().then((attached) => {
      this.#attached = attached
      if (this.#endedWith !== null) return attached.leave(this.#why ?? 'CONNECTION_LOST')
      socket.on('message', (data) => {
        const bytes = this.#frames.messageTaken()
        // Messages that were already on their way are ignored once the client is being disconnected.
        if (socket.readyState !== socket.OPEN) return
        // A text, see SplitFrames.
        if (!Array.isArray(data)) return this.close(1003, 'messages are text')
        if (!isUtf8InParts(data)) return this.close(1007, 'texts are UTF-8')
        const handling = attached.receive(data)
        if (!handling) return
        this.#handledBytes += bytes
        void handling.finally(() => (this.#handledBytes -= bytes))
      })
      socket.resume()
      return undefined
    })
    serving.catch((error: unknown) => {
      if (saysEnded(error)) return this.close(CDP_CLOSE.sessionEnded, 'the session has ended')
      if (error instanceof TabwireError) return this.close(1013, error.message)
      this.#logger.warn({ err: error }, 'a client could not be attached')
      this.close(1011, 'the browser does not answer')
    })
  }

  send(pieces: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
    if (size <= ONE_FRAME_BYTES) socket.send(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), TEXT)
    else
      for (const [index, piece] of pieces.entries()) socket.send(piece, { ...TEXT, fin: index === pieces.length - 1 })
    this.#memory.note(this)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    if (this.#attached) this.#socket.resume()
  }

  close(code: number, reason: string): void {
    const socket = this.#socket
    if (socket.readyState === socket.CLOSED) return this.#ended(1006)
    if (code >= 4000 || CUT_OFF_CODES.has(code)) this.#why ??= 'CUT_OFF'
    // A paused socket never receives the other side's close frame.
    socket.resume()
    socket.close(code, closeReason(reason))
    this.#cutOff ??= setTimeout(() => {
      socket.terminate()
      this.#ended(1006)
    }, CLOSE_MS)
  }

  /** Once: a fault may have kept the event from being heard. */
  #ended(code: number): void {
    if (this.#endedWith !== null) return
    this.#endedWith = code
    clearTimeout(this.#cutOff)
    this.#isGone()
    void this.#attached?.leave(this.#why ?? (code === 1006 ? 'CONNECTION_LOST' : 'CLIENT_LEFT'))
  }

  /** An internal error while serving it. */
  failed(): void {
    this.close(1011, 'internal error')
  }

  endLink(why: LinkEnd): void {
    this.#why ??= why === 'EXPIRED' ? 'LINK_EXPIRED' : 'LINK_REVOKED'
    this.close(CDP_CLOSE.linkEnded, why === 'EXPIRED' ? 'the link has expired' : 'the link has been revoked')
  }

  async closed(code: number, reason: string): Promise<void> {
    this.close(code, reason)
    await this.gone
  }
}

const TEXT = { binary: false } as const
/** WebSocket close codes: unsupported data, invalid data, message too big, internal error. */
const CUT_OFF_CODES: ReadonlySet<number> = new Set([1003, 1007, 1009, 1011])
const NOTHING = Buffer.alloc(0)
/** Below this size, copying into one frame is cheaper than a second frame. */
const ONE_FRAME_BYTES = 64 * 1024

function answerUnauthorized(response: ServerResponse): void {
  answerJson(response, 401, {
    error: { code: 'LINK_INVALID', message: 'Invalid or expired link, or its session is not running.' },
  })
}
