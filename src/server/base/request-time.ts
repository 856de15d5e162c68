import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough, type Duplex, type Readable } from 'node:stream'

/** How long a client may take to send a request; the response may take as long as it needs. */
export interface RequestLimits {
  headersMs: number
  /** From the headers to the end of the body; for an upload, between two chunks. */
  requestMs: number
  /** Interval at which connections are checked for missing headers. */
  checkMs: number
  /** Keep-alive time without a request. */
  keepAliveMs: number
  /**
   * How much of a request body is still read after the response, so that a client that only sends sees the response.
   */
  discardMs: number
  discardBytes: number
}

export const REQUEST_LIMITS: RequestLimits = {
  headersMs: 10_000,
  requestMs: 60_000,
  checkMs: 5_000,
  keepAliveMs: 5_000,
  discardMs: 10_000,
  discardBytes: 64 * 1024 * 1024,
}

const MAX_BETWEEN_LOOKS_MS = 100

/** How long a client that is being disconnected may take to read the response. */
const FAREWELL_MS = 1_000

/**
 * Ends a request whose body does not arrive: 'whole' limits the total time, 'idle' the time between chunks. After the
 * response, the rest of the body is discarded within limits, and then the connection is closed.
 */
export function limitRequestTime(
  request: IncomingMessage,
  response: ServerResponse,
  limits: RequestLimits,
  limit: 'whole' | 'idle',
): void {
  if (request.complete) return
  const { socket } = request
  let received = socket.bytesRead
  const look = () => {
    if (request.complete) return
    if (limit === 'idle' && socket.bytesRead > received) {
      received = socket.bytesRead
      timer.refresh()
      return
    }
    // A client that neither sends nor reads would never let it finish.
    if (response.headersSent) return void socket.destroy()
    sayAndLetGo(socket, 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
  }
  const timer = setTimeout(look, limits.requestMs)
  const stop = () => clearTimeout(timer)
  request.once('end', stop)
  request.once('close', stop)
  response.once('close', () => {
    stop()
    discardRest(request, socket, limits)
  })
}

/** The final bytes of a connection: the other side could keep its half open without reading for as long as it likes. */
export function sayAndLetGo(stream: Duplex, words: string): void {
  const letGo = () => stream.destroy()
  const cutOff = setTimeout(letGo, FAREWELL_MS)
  stream.once('close', () => clearTimeout(cutOff))
  stream.once('finish', letGo)
  stream.end(words)
}

/**
 * The body as a separate stream: abandoning it does not close the connection, which is still needed for the error
 * response.
 */
export function bodyOf(request: IncomingMessage): Readable {
  const body = new PassThrough()
  const broken = (error?: Error) => body.destroy(error ?? new Error('the client left'))
  // The reader receives the error; it can also occur before or after anyone reads.
  body.on('error', () => {})
  request.on('error', broken)
  request.once('close', () => {
    if (!request.complete) broken()
  })
  return request.pipe(body)
}

/**
 * Drains an unwanted body within limits, and then closes the connection. If the body ends first, the connection can be
 * reused.
 */
function discardRest(request: IncomingMessage, socket: Socket, { discardMs, discardBytes }: RequestLimits): void {
  if (request.complete || socket.destroyed) return
  const most = socket.bytesRead + discardBytes
  const deadline = performance.now() + discardMs
  const look = () => {
    if (request.complete) return stop()
    if (socket.bytesRead > most || performance.now() > deadline) socket.destroy()
  }
  // 'data' cannot be used to count bytes: Node drops the event if nobody has started reading, and a paused socket with
  // a listener never resumes.
  const looking = setInterval(look, Math.min(discardMs, MAX_BETWEEN_LOOKS_MS))
  const stop = () => {
    clearInterval(looking)
    socket.off('close', stop)
  }
  // A request that was aborted earlier never emits 'end': only the socket's events are certain.
  socket.once('close', stop)
  request.once('end', stop)
  request.on('error', () => {})
  // Unpipe first: a pipe that ends later would pause it again.
  request.unpipe()
  request.resume()
}
