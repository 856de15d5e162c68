import { once } from 'node:events'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { freePort } from './free-port.ts'
import { SELF_SIGNED } from './self-signed.ts'

/** Hosts with a port, each failing requests in its own way. */
export interface Unreachable {
  refused: string
  unresolvable: string
  /** Accepts the connection, and resets it at the first bytes. */
  reset: string
  /** Has an untrusted certificate, and does not serve plain HTTP. */
  untrusted: string
  close(): Promise<void>
}

export async function startUnreachable(): Promise<Unreachable> {
  const resetting = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.resetAndDestroy())
  })
  const untrusted = createHttpsServer(SELF_SIGNED, (_, response) => response.end('for nobody'))
  // A browser that does not trust it sends an alert.
  untrusted.on('tlsClientError', () => {})
  const [resetPort, untrustedPort] = await Promise.all([resetting, untrusted].map(listen))
  return {
    refused: `127.0.0.1:${await freePort()}`,
    unresolvable: 'no-such-host.invalid',
    reset: `127.0.0.1:${resetPort}`,
    untrusted: `127.0.0.1:${untrustedPort}`,
    close: async () => void (await Promise.all([close(resetting), close(untrusted)])),
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  await closed
}
