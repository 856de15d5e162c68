import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/** Once the browser has said that nothing more comes, the other side has this long to finish. */
const LINGER_MS = 30_000

/**
 * Passes bytes both ways, no faster than each side reads, and ends as the sides do: an end stays an end, a reset a reset,
 * for a page sees the difference. Resolves when both are closed.
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
    // An end has been passed on; what was read before it still goes out.
    else if (!one.readableEnded || !one.writableFinished) other.destroy()
  }
  one.once('error', () => {
    hasFailed = true
  })
  if (one.closed) onClose()
  else one.once('close', onClose)
}

/** Ends with RST instead of FIN, where there is such a thing. */
export function reset(stream: Duplex): void {
  if (stream instanceof Socket && !(stream instanceof TLSSocket) && !stream.destroyed) stream.resetAndDestroy()
  else stream.destroy()
}
