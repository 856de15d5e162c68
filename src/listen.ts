import { hostname } from 'node:os'
import { isLoopback, type Config } from './config.ts'
import type { Server } from './server/http.ts'
import { StartupFailed } from './startup-failed.ts'

/** The local URL of a server that listens on the host: an address that means "all addresses" cannot be connected to. */
export function localUrl(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

/** Resolves with the port. Rejects with StartupFailed if the address is unavailable. */
export async function listen(server: Server, { host, port }: Config): Promise<number> {
  try {
    return (await server.listen(host, port)).port
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    const cause = { cause: error }
    if (code === 'EADDRINUSE')
      throw new StartupFailed(`Port ${port} on ${host} is taken: set PORT to another one.`, cause)
    if (code === 'EACCES')
      throw new StartupFailed(`Port ${port} may not be used by this user: set PORT to one above 1023.`, cause)
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
      throw new StartupFailed(`${host} is not an address of this machine: set HOST to one that is.`, cause)
    }
    throw error
  }
}

/** The URL at which other machines reach a server that listens there; at a loopback address, other processes of this one. */
export function internalUrl(host: string, port: number): string {
  const address = networkAddress(host, port)
  return address === null ? localUrl(host, port) : `http://${address}`
}

/** Where other machines find what listens there: host and port. Null: they do not reach it. */
export function networkAddress(host: string, port: number): string | null {
  if (isLoopback(host)) return null
  const name = host === '0.0.0.0' || host === '::' ? hostname() : host
  return `${name.includes(':') ? `[${name}]` : name}:${port}`
}
