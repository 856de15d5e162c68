import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port for a server that must know it before it starts, or is restarted on it. Below those that systems give to outgoing
 * connections: one of these would take it while the server is down. Above those that browsers refuse.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer().listen(randomInt(10_081, 32_000), '127.0.0.1')
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    const { port } = probe.address() as { port: number }
    probe.close()
    await once(probe, 'close')
    return port
  }
}
