import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'

/**
 * Ends a request whose body does not come: 'whole' within the time, 'idle' without a piece of it for that long. The
 * answer may take as long as it needs.
 */
export function limitRequestTime(
  request: IncomingMessage,
  response: ServerResponse,
  ms: number,
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
    if (!response.headersSent) socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
    socket.destroySoon()
  }
  const timer = setTimeout(look, ms)
  const stop = () => clearTimeout(timer)
  request.once('end', stop)
  request.once('close', stop)
  response.once('close', stop)
}

/** So long a client whose upload was refused may take to notice. */
const NOTICE_MS = 10_000

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

/** Reads the rest of a body that nobody wants, for a while: a client that only sends would never see the answer. */
export function discardRest(request: IncomingMessage): void {
  request.on('error', () => {})
  if (request.complete || request.destroyed) return
  const { socket } = request
  const giveUp = () => request.destroy()
  const timer = setTimeout(giveUp, NOTICE_MS)
  // The server has forgotten a request that it answered, and does not tell it that the connection has gone.
  socket.once('close', giveUp)
  const stop = () => {
    clearTimeout(timer)
    socket.off('close', giveUp)
  }
  request.once('end', stop)
  request.once('close', stop)
  // First of all from what it was given to: a pipe that ends later would stop it again.
  request.unpipe()
  request.resume()
}
