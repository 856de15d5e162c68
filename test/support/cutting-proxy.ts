import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A network whose connections break after a given number of bytes from the server. */
export interface CuttingProxy {
  /** http://127.0.0.1:<port> */
  url: string
  /** Number of connections opened. */
  opened: number
  /**
   * Bytes that each of the next connections lets through, in order of opening; later ones are not cut. Those that are
   * open break now: a client that kept one for its next request would meet an earlier cut.
   */
  cutAfter(bytes: readonly number[]): void
  /** Target of new connections. */
  leadTo(target: string): void
  close(): Promise<void>
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let to = new URL(target)
  let cuts: number[] = []
  const server = createServer((client) => {
    proxy.opened += 1
    let left = cuts.shift() ?? Infinity
    const onward = connect(Number(to.port), to.hostname)
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
    client.pipe(onward)
    onward.on('data', (chunk: Buffer) => {
      const passed = chunk.subarray(0, left)
      left -= passed.length
      const cut = () => {
        // Every other one without a FIN, as if the machine had died.
        if (proxy.opened % 2 === 0) client.resetAndDestroy()
        else client.destroy()
      }
      if (!client.write(passed) && left > 0) {
        onward.pause()
        client.once('drain', () => onward.resume())
      }
      if (left > 0) return
      onward.removeAllListeners('data')
      client.write('', cut)
    })
  })
  const proxy: CuttingProxy = {
    url: '',
    opened: 0,
    cutAfter(bytes) {
      cuts = [...bytes]
      for (const socket of sockets) socket.destroy()
    },
    leadTo: (other) => (to = new URL(other)),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}
