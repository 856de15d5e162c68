import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { SocksClient } from 'socks'

/** Opens a connection as a browser does; rejects when it is refused. */
export async function through(port: number, host: string, hostPort: number): Promise<Socket> {
  const { socket } = await SocksClient.createConnection({
    proxy: { host: '127.0.0.1', port, type: 5 },
    command: 'connect',
    destination: { host, port: hostPort },
  })
  return socket
}

/** Sends bytes to the proxy and returns what it says until it hangs up. */
export async function say(port: number, bytes: readonly number[] | Buffer): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1')
  const pieces: Buffer[] = []
  socket.on('data', (piece) => pieces.push(piece))
  socket.on('error', () => {})
  socket.write(Buffer.from(bytes))
  await once(socket, 'close')
  return Buffer.concat(pieces)
}
