import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

type NetworkState = 'open' | 'cut' | 'slow'

/** Delay of each chunk while the network is slow. */
const SLOW_MS = 150

/** The network between the server and its database. */
export interface DatabaseNetwork {
  port: number
  become(state: NetworkState): void
  close(): Promise<void>
}

export async function startDatabaseNetwork(host: string, hostPort: number): Promise<DatabaseNetwork> {
  const sockets = new Set<Socket>()
  let state: NetworkState = 'open'
  const carry = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on('data', (piece) => {
      // Timers of equal length fire in the order in which they were set, so chunks stay in order.
      if (state === 'slow') setTimeout(() => to.write(piece), SLOW_MS)
      else to.write(piece)
    })
    from.on('error', () => from.destroy())
    from.once('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((near) => {
    if (state === 'cut') return void near.destroy()
    const far = connect(hostPort, host)
    carry(near, far)
    carry(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    become(next) {
      state = next
      if (next === 'cut') for (const socket of sockets) socket.destroy()
    },
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
