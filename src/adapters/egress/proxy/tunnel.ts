import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { Deadline } from '../../../async/deadline.ts'
import type { WebSocketEnd } from '../../../ports/egress/egress.ts'
import { watchWebSocket } from './close-frames.ts'

/** Once the browser has half-closed the connection, the target has this long to finish. */
const LINGER_MS = 30_000

/**
 * Pipes both ways with backpressure. A FIN stays a FIN and an RST an RST, because pages see different errors for them.
 * Resolves when both sides are closed.
 *
 * Chromium treats a connection that ends before it has sent anything as never established (ERR_SOCKET_NOT_CONNECTED).
 * Without a proxy it sends as soon as it is connected, so the end comes later. Therefore the end of the target is held
 * back until the client's first byte has been forwarded, or for `endHeldMs`: a client may have connected in advance.
 */
export async function join(
  client: Socket,
  target: Duplex,
  endHeldMs: number,
  socketEnd: (end: WebSocketEnd) => void = () => {},
): Promise<void> {
  let linger: NodeJS.Timeout | undefined
  const { promise, resolve } = Promise.withResolvers<void>()
  let open = 2
  const closed = () => {
    open -= 1
    if (open === 0) resolve()
  }
  onClosed(client, (hasFailed) => {
    closed()
    if (hasFailed) reset(target)
    // After a FIN, buffered bytes are still delivered.
    else if (!client.readableEnded || !client.writableFinished) target.destroy()
  })
  client.once('end', () => {
    linger = setTimeout(() => {
      client.destroy()
      target.destroy()
    }, LINGER_MS)
  })
  // A closed target has its pipe removed, which stops reading, and the first byte would not be seen.
  target.once('unpipe', () => client.resume())
  // Before the pipe's own listener, so that it runs before the browser sees the end.
  watchWebSocket(client, target, socketEnd)
  client.pipe(target)
  // After the pipe's own listener, which forwards.
  const begun = firstByte(client, endHeldMs)
  onClosed(target, (hasFailed) => {
    closed()
    void begun.then(() => {
      // Data sent after the FIN makes the target's machine respond with an RST, which Chromium never reads.
      if (hasFailed && target.readableEnded) client.destroySoon()
      else if (hasFailed) reset(client)
      else if (!target.readableEnded || !target.writableFinished) client.destroy()
    })
  })
  const hasEnded = target.readableEnded ? Promise.resolve() : new Promise((end) => target.once('end', end))
  void hasEnded.then(() => begun).then(() => client.end())
  target.pipe(client, { end: false })
  await promise
  clearTimeout(linger)
}

/** Calls back with whether it has failed. */
function onClosed(stream: Duplex, listener: (hasFailed: boolean) => void): void {
  let hasFailed = stream.errored !== null
  stream.once('error', () => {
    hasFailed = true
  })
  if (stream.closed) listener(hasFailed)
  else stream.once('close', () => listener(hasFailed))
}

/** Resolves at the first byte, the end, or the close of the client, and no later than the given time. */
async function firstByte(client: Socket, maxMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = () => resolve()
  const events = ['data', 'end', 'close'] as const
  for (const event of events) client.once(event, done)
  if (client.closed) done()
  await Deadline.isMet(promise, maxMs)
  for (const event of events) client.off(event, done)
}

/** Closes with RST instead of FIN, if the stream is a TCP socket. */
export function reset(stream: Duplex): void {
  if (stream instanceof Socket && !(stream instanceof TLSSocket) && !stream.destroyed) stream.resetAndDestroy()
  else stream.destroy()
}
