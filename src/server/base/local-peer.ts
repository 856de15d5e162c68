import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'] as const
/** A machine with more connections is not asked whose one of them is. */
const MOST_BYTES = 4 * 1024 * 1024

/**
 * The user whose process is at the other end of the connection, where that is on this machine, and of the same network;
 * null: it is not, or cannot be told. The kernel knows it, no client can claim it. A proxy on this machine is a process
 * like any other: those that say what they are are left out.
 */
export async function userOfPeer({ socket, headers }: IncomingMessage): Promise<number | null> {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (PROXY_HEADERS.some((name) => headers[name] !== undefined)) return null
  if (remoteAddress === undefined || localAddress === undefined || !isLoopback(remoteAddress)) return null
  const [theirs, ours] = [ipaddr.process(remoteAddress), ipaddr.process(localAddress)]
  const table = await readFile(theirs.kind() === 'ipv4' ? '/proc/net/tcp' : '/proc/net/tcp6', 'latin1').catch(() => '')
  if (table.length > MOST_BYTES) return null
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

/** Words of four bytes, each as a machine has it that begins with the lowest; then the port. */
function asInTable(address: ipaddr.IPv4 | ipaddr.IPv6, port: number): string {
  const bytes = Buffer.from(address.toByteArray())
  return `${bytes.swap32().toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
}
