import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/** Once the browser has half-closed the connection, the target has this long to finish. */
const LINGER_MS = 30_000

/**
 * Pipes both ways with backpressure. A FIN stays a FIN and an RST an RST, because pages see different errors for them.
 * Resolves when both sides are closed.
 */
export async function join(client: Socket, target: Duplex): Promise<void> {
  let linger: NodeJS.Timeout | undefined
  const { promise, resolve } = Promise.withResolvers<void>()
  let open = 2
  const closed = () => {
    open -= 1
    if (open === 0) resolve()
  }
  breakTogether(client, target, closed)
  breakTogether(target, client, closed)
  client.once('end', () => {
    linger = setTimeout(() => {
      client.destroy()
      target.destroy()
    }, LINGER_MS)
  })
  client.pipe(target)
  target.pipe(client)
  await promise
  clearTimeout(linger)
}

function breakTogether(one: Duplex, other: Duplex, closed: () => void): void {
  let hasFailed = one.errored !== null
  const onClose = () => {
    closed()
    if (hasFailed) reset(other)
    // After a FIN, buffered bytes are still delivered.
    else if (!one.readableEnded || !one.writableFinished) other.destroy()
  }
  one.once('error', () => {
    hasFailed = true
  })
  if (one.closed) onClose()
  else one.once('close', onClose)
}

/** Closes with RST instead of FIN, if the stream is a TCP socket. */
export function reset(stream: Duplex): void {
  if (stream instanceof Socket && !(stream instanceof TLSSocket) && !stream.destroyed) stream.resetAndDestroy()
  else stream.destroy()
}
