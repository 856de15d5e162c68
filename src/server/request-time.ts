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
  request.once('error', broken)
  request.once('close', () => {
    if (!request.complete) broken()
  })
  body.once('close', () => {
    if (!request.complete) request.unpipe(body)
  })
  return request.pipe(body)
}

/** Reads the rest of a body that nobody wants, for a while: a client that only sends would never see the answer. */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  request.on('error', () => {})
  const timer = setTimeout(() => request.destroy(), NOTICE_MS)
  request.once('end', () => clearTimeout(timer))
  request.once('close', () => clearTimeout(timer))
  request.resume()
}
