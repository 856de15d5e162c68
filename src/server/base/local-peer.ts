import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'] as const
/** A larger connection table is not searched. */
const MAX_BYTES = 4 * 1024 * 1024

/**
 * The user of the client's process, if it is on this machine and in the same network namespace; null: it is not, or
 * unknown. The kernel knows the user, so clients cannot forge it. A local proxy is a process like any other: requests
 * with a proxy's headers are excluded.
 */
export async function userOfPeer({ socket, headers }: IncomingMessage): Promise<number | null> {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (PROXY_HEADERS.some((name) => headers[name] !== undefined)) return null
  if (remoteAddress === undefined || localAddress === undefined || !isLoopback(remoteAddress)) return null
  const [theirs, ours] = [ipaddr.process(remoteAddress), ipaddr.process(localAddress)]
  const table = await readFile(theirs.kind() === 'ipv4' ? '/proc/net/tcp' : '/proc/net/tcp6', 'latin1').catch(() => '')
  if (table.length > MAX_BYTES) return null
  const wanted = `${asInTable(theirs, remotePort!)} ${asInTable(ours, localPort!)}`
  for (const line of table.split('\n')) {
    // Number, local address, remote address, state, queues, timer, retransmissions, user.
    const [, local, remote, , , , , uid] = line.trim().split(/\s+/)
    if (`${local} ${remote}` === wanted && uid !== undefined) return Number(uid)
  }
  return null
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}

/** 4-byte words in the byte order of a little-endian machine; then the port. */
function asInTable(address: ipaddr.IPv4 | ipaddr.IPv6, port: number): string {
  const bytes = Buffer.from(address.toByteArray())
  return `${bytes.swap32().toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
}
