import type { IncomingMessage, ServerResponse } from 'node:http'

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
