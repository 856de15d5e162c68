import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface TestSocksServer {
  port: number
  /** host:port of each request. */
  asked: string[]
  close(): Promise<void>
}

/** A SOCKS5 server on 127.0.0.1 that requires credentials, and resolves every name to this machine. */
export async function startSocksServer(user: { username: string; password: string }): Promise<TestSocksServer> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const own = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    void serve(own(client))
  })

  async function serve(client: Socket): Promise<void> {
    const next = () => new Promise<Buffer>((resolve) => client.once('data', resolve))
    // Small messages on one machine: each comes in one piece.
    if (!(await next()).includes(2)) return void client.end(Buffer.from([5, 0xff]))
    client.write(Buffer.from([5, 2]))
    const credentials = await next()
    const { username, password } = user
    const wanted = Buffer.from([
      1,
      username.length,
      ...Buffer.from(username),
      password.length,
      ...Buffer.from(password),
    ])
    if (!credentials.equals(wanted)) return void client.end(Buffer.from([1, 1]))
    client.write(Buffer.from([1, 0]))
    const request = await next()
    const length = request[4]!
    const port = request.readUInt16BE(5 + length)
    asked.push(`${request.toString('latin1', 5, 5 + length)}:${port}`)
    const target = own(connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
    target.once('connect', () => {
      client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
      client.pipe(target).pipe(client)
    })
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
