import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, createServer, get, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startLoadBalancer, type TestLoadBalancer } from '../support/load-balancer.ts'

/** What docs/operating.md demands of a load balancer, of haproxy with its configuration in front of three plain servers. */

leakGate()

const servers: Server[] = []
let balancer: TestLoadBalancer
/** Requests but those of haproxy itself: their paths, and the connections that they came over. */
let received: { url: string; connection: string }[] = []
let respond: (request: IncomingMessage, response: ServerResponse) => void

beforeEach(() => {
  received = []
  respond = (_, response) => void response.end('done')
})
beforeAll(async () => {
  for (let count = 0; count < 3; count += 1) {
    const server = createServer((incoming, response) => {
      if (incoming.url === '/ready' || incoming.url === '/health') return void response.end()
      const { socket, url = '' } = incoming
      received.push({ url, connection: `${socket.remotePort} to ${socket.localPort}` })
      respond(incoming, response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    servers.push(server)
  }
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`)
  balancer = await startLoadBalancer(await freePort(), addresses)
})
afterAll(async () => {
  await balancer?.close()
  for (const server of servers) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

test('a request that a server may have received is not repeated', async () => {
  respond = ({ socket }) => void socket.destroy()
  const sent = request(`${balancer.url}/graphql`, { method: 'POST', agent: false })
  sent.end('{"query": "mutation { startSession { id } }"}')
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  expect(response.statusCode).toBe(502)
  // It would be repeated before the next one is carried.
  expect(await (await fetch(`${balancer.url}/after`)).text().catch(() => 'refused')).not.toBe('done')
  expect(received.map(({ url }) => url)).toEqual(['/graphql', '/after'])
})

test('no connection to a server is used for a second request', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (let count = 0; count < 6; count += 1) {
      const [response] = (await once(get(`${balancer.url}/`, { agent }), 'response')) as [IncomingMessage]
      expect(await text(response)).toBe('done')
    }
  } finally {
    agent.destroy()
  }
  expect(new Set(received.map(({ connection }) => connection)).size).toBe(6)
})

test('silent WebSockets and slow responses have the time that the document says', () => {
  const root = join(import.meta.dirname, '..', '..')
  const configuration = readFileSync(join(root, 'deploy', 'haproxy', 'haproxy.cfg'), 'utf8')
  const document = readFileSync(join(root, 'docs', 'operating.md'), 'utf8')
  expect(document).toContain('Pass WebSockets without a limit below 24 h')
  expect(document).toContain('responses that take 10 minutes')
  expect(configuration).toMatch(/^ +timeout tunnel 24h$/m)
  expect(configuration).toMatch(/^ +timeout server 10m$/m)
})
