import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough, type Duplex, type Readable } from 'node:stream'

/** How long a client may take to send a request; the response may take as long as it needs. */
export interface RequestLimits {
  headersMs: number
  /** From the headers to the end of the body; of an upload, between two pieces of it. */
  requestMs: number
  /** How often connections are looked at for headers that do not come. */
  checkMs: number
  /** How long a connection without a request is kept open. */
  keepAliveMs: number
  /** What is still read of a body after the response, so that a client that only sends sees the response. */
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

const MOST_BETWEEN_LOOKS_MS = 100

/** How long a connection that was told to go may take to read that. */
const FAREWELL_MS = 1_000

/**
 * Ends a request whose body does not come: 'whole' within the time, 'idle' without a piece of it for that long. What is
 * left of the body when the response has been sent is discarded, within bounds of its own, and then the connection ends.
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

/** The last words on a connection: the other side may keep its half open, and may not read, for as long as it likes. */
export function sayAndLetGo(stream: Duplex, words: string): void {
  const letGo = () => stream.destroy()
  const cutOff = setTimeout(letGo, FAREWELL_MS)
  stream.once('close', () => clearTimeout(cutOff))
  stream.once('finish', letGo)
  stream.end(words)
}

/**
 * The body as a stream of its own: whoever gives it up does not cut the connection, over which the refusal has yet to
 * be told.
 */
export function bodyOf(request: IncomingMessage): Readable {
  const body = new PassThrough()
  const broken = (error?: Error) => body.destroy(error ?? new Error('the client left'))
  // Whoever reads it hears of it; it may also break before anyone does, or after.
  body.on('error', () => {})
  request.on('error', broken)
  request.once('close', () => {
    if (!request.complete) broken()
  })
  return request.pipe(body)
}

/**
 * Reads what is left of a body that nobody wants, within bounds, and then ends the connection. If the body ends first
 * the connection can be used again.
 */
function discardRest(request: IncomingMessage, socket: Socket, { discardMs, discardBytes }: RequestLimits): void {
  if (request.complete || socket.destroyed) return
  const most = socket.bytesRead + discardBytes
  const deadline = performance.now() + discardMs
  const look = () => {
    if (request.complete) return stop()
    if (socket.bytesRead > most || performance.now() > deadline) socket.destroy()
  }
  // Neither 'data' tells how much came: Node drops it where nobody began to read, and a socket that is listened to while
  // it is paused never goes on.
  const looking = setInterval(look, Math.min(discardMs, MOST_BETWEEN_LOOKS_MS))
  const stop = () => {
    clearInterval(looking)
    socket.off('close', stop)
  }
  // A request that was given up before never says that it has ended: only the socket is sure to.
  socket.once('close', stop)
  request.once('end', stop)
  request.on('error', () => {})
  // First of all from what it was given to: a pipe that ends later would stop it again.
  request.unpipe()
  request.resume()
}
