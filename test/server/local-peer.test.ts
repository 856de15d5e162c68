import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { userOfPeer } from '../../src/server/base/local-peer.ts'

/** The information that a server at the address gets about a connecting client. */
async function askFrom(address: string, headers: Record<string, string> = {}): Promise<string> {
  const server = createServer((request, response) => void userOfPeer(request).then((uid) => response.end(String(uid))))
  server.listen(0, address)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const [response] = (await once(get({ host: address, port, headers, agent: false }), 'response')) as [IncomingMessage]
  return text(response)
}

const uid = String(process.getuid?.())

test.runIf(process.platform === 'linux')('the kernel tells whose process a client on this machine is', async () => {
  expect(await askFrom('127.0.0.1')).toBe(uid)
  expect(await askFrom('127.0.0.2')).toBe(uid)
  expect(await askFrom('::1').catch(() => uid)).toBe(uid)
})

test('what a proxy hands on is of nobody here', async () => {
  for (const name of ['x-forwarded-for', 'Forwarded', 'via', 'X-Real-IP']) {
    expect(await askFrom('127.0.0.1', { [name]: '192.0.2.1' })).toBe('null')
  }
})

test('a client on another machine is of nobody here', async () => {
  const socket = { remoteAddress: '192.0.2.1', remotePort: 1, localAddress: '192.0.2.2', localPort: 2 }
  expect(await userOfPeer({ socket, headers: {} } as IncomingMessage)).toBeNull()
  const none = { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 2 }
  expect(await userOfPeer({ socket: none, headers: {} } as IncomingMessage)).toBeNull()
})
