import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Transform } from 'node:stream'

/** A network between a client and the server that can be cut and restored. */
export interface CuttableProxy {
  /** http://127.0.0.1:<port> */
  url: string
  /** Breaks all connections and refuses new ones. */
  cut(): void
  /** Silently blocks all traffic: data sent meanwhile arrives once it is restored. */
  stall(): void
  mend(): void
  close(): Promise<void>
}

export async function startCuttableProxy(target: string): Promise<CuttableProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let isCut = false
  /** Work to resume once it is restored; null if it is not stalled. */
  let stalled: (() => void)[] | null = null
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  const notWhileStalled = () =>
    new Transform({
      transform(chunk, _, done) {
        const pass = () => done(null, chunk)
        if (stalled) stalled.push(pass)
        else pass()
      },
    })
  const server = createServer((client) => {
    if (isCut) return void client.destroy()
    const onward = connect(Number(port), hostname)
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => one.destroy())
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
    client.pipe(notWhileStalled()).pipe(onward)
    onward.pipe(notWhileStalled()).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true
      breakAll()
    },
    stall() {
      stalled ??= []
    },
    mend() {
      isCut = false
      const waiting = stalled ?? []
      stalled = null
      for (const pass of waiting) pass()
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      breakAll()
      await closed
    },
  }
}
