import { connect, type Socket } from 'node:net'
import { connectFailure, type ConnectionFailed } from '../names/connection-failed.ts'

/** A connection, which may have been reset since, and its remote address. */
export interface Reached {
  socket: Socket
  address: string
}

const MAX_ADDRESSES = 16
const KEEP_ALIVE_MS = 45_000

/** The most specific codes first. */
const SPECIFIC = ['REFUSED', 'RESET', 'TIMED_OUT']

/**
 * Connects to the first address that accepts (RFC 8305): IPv6 and IPv4 alternate, each attempt gets a head start. Takes
 * addresses, never names, so that nothing is resolved here. Rejects with a ConnectionFailed or the signal's reason.
 */
export async function connectToFirst(
  addresses: readonly string[],
  port: number,
  staggerMs: number,
  signal: AbortSignal,
): Promise<Reached> {
  const { promise, resolve, reject } = Promise.withResolvers<Reached>()
  const waiting = inTurns(addresses).slice(0, MAX_ADDRESSES)
  const running = new Set<Socket>()
  const failures: ConnectionFailed[] = []
  let stagger: NodeJS.Timeout | undefined
  const tryNext = () => {
    clearTimeout(stagger)
    const address = waiting.shift()
    if (address === undefined) return
    const socket = connect({
      host: address,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      allowHalfOpen: true,
    })
    running.add(socket)
    socket.once('connect', () => resolve({ socket, address }))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // It was connected, but reset before this thread noticed: a port without a listener refuses the connection
      // instead.
      if (error.code === 'ECONNRESET') return resolve({ socket, address })
      running.delete(socket)
      failures.push(connectFailure(error))
      if (waiting.length > 0) tryNext()
      else if (running.size === 0) reject(mostSpecific(failures))
    })
    if (waiting.length > 0) stagger = setTimeout(tryNext, staggerMs)
  }
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    signal.throwIfAborted()
    tryNext()
    const reached = await promise
    running.delete(reached.socket)
    // An error before the caller attaches its own listeners must not be uncaught.
    reached.socket.on('error', () => {})
    return reached
  } finally {
    clearTimeout(stagger)
    signal.removeEventListener('abort', onAbort)
    for (const socket of running) socket.destroy()
  }
}

function mostSpecific(failures: readonly ConnectionFailed[]): ConnectionFailed {
  for (const code of SPECIFIC) {
    const found = failures.find(({ failure }) => failure.code === code)
    if (found) return found
  }
  return failures.at(-1)!
}

function inTurns(addresses: readonly string[]): string[] {
  const ipv6 = addresses.filter((address) => address.includes(':'))
  const ipv4 = addresses.filter((address) => !address.includes(':'))
  const longer = Math.max(ipv6.length, ipv4.length)
  return Array.from({ length: longer }, (_, index) => [ipv6[index], ipv4[index]])
    .flat()
    .filter((address) => address !== undefined)
}
