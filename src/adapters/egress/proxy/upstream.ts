import { once } from 'node:events'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { SocksClient } from 'socks'
import type { UpstreamParts } from '../../../egress/upstream-proxy.ts'
import { upstreamRefused, upstreamUnreachable } from '../names/connection-failed.ts'
import type { Destination } from './socks-handshake.ts'

const SOCKS_VERSION = 5

/** `host:port` in HTTP syntax. */
export function authorityOf({ host, port }: Destination): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Proxy-Authorization header; empty without credentials. */
export function proxyAuthorization({ username, password }: UpstreamParts): Record<string, string> {
  if (username === '' && password === '') return {}
  return { 'proxy-authorization': `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

/** Starts TLS with an https proxy; returns the socket unchanged for other schemes. */
export async function secure(
  socket: Socket,
  { scheme, host }: UpstreamParts,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  if (scheme !== 'https') return socket
  const isAddress = /^[\d.]+$|:/.test(host)
  const secured = connectTls({
    socket,
    ca,
    host,
    ...(isAddress ? {} : { servername: host }),
    ALPNProtocols: ['http/1.1'],
  })
  secured.on('error', () => {})
  try {
    await once(secured, 'secureConnect', { signal })
    return secured
  } catch {
    secured.destroy()
    signal.throwIfAborted()
    throw upstreamUnreachable()
  }
}

/** Opens a tunnel through a SOCKS5 proxy. */
export async function throughSocks(
  socket: Socket,
  parts: UpstreamParts,
  destination: Destination,
  signal: AbortSignal,
): Promise<Socket> {
  const giveUp = () => socket.destroy()
  signal.addEventListener('abort', giveUp)
  try {
    signal.throwIfAborted()
    const { socket: opened } = await SocksClient.createConnection({
      proxy: {
        host: parts.host,
        port: parts.port,
        type: SOCKS_VERSION,
        ...(parts.username === '' && parts.password === '' ? {} : { userId: parts.username, password: parts.password }),
      },
      command: 'connect',
      destination,
      existing_socket: socket,
    })
    return opened
  } catch {
    socket.destroy()
    throw upstreamRefused()
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** Opens a tunnel through an HTTP proxy. */
export async function throughConnect(
  socket: Socket,
  parts: UpstreamParts,
  destination: Destination,
  signal: AbortSignal,
): Promise<Duplex> {
  const authority = authorityOf(destination)
  const asking = request({
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...proxyAuthorization(parts) },
    // Ignored if an agent is set.
    createConnection: () => socket,
    signal,
  })
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  asking.once('connect', (response, opened: Duplex, head: Buffer) => {
    const { statusCode = 0 } = response
    if (statusCode < 200 || statusCode > 299) return reject(upstreamRefused())
    if (head.length > 0) opened.unshift(head)
    resolve(opened)
  })
  asking.once('response', (response) => {
    response.resume()
    reject(upstreamRefused())
  })
  asking.on('error', () => reject(upstreamRefused()))
  asking.end()
  try {
    return await promise
  } catch (error) {
    socket.destroy()
    throw error
  }
}
