import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WorkerEgress, type WorkerEgressOptions } from '../../../src/adapters/egress/worker-egress.ts'
import type { ConnectionOutcome, EgressPolicy, EgressProxy } from '../../../src/ports/egress.ts'
import { leakGate } from '../../support/leak-gate.ts'
import { startNameServer, type Records } from './name-server.ts'
import { say, through } from './socks-client.ts'

leakGate()

const stack = new AsyncDisposableStack()
let opened = new AsyncDisposableStack()
afterEach(async () => {
  await opened.disposeAsync()
  opened = new AsyncDisposableStack()
})
void stack

const OPEN: EgressPolicy = { mode: 'OPEN', allow: [], allowedHosts: null, upstream: null }
const PUBLIC: EgressPolicy = { ...OPEN, mode: 'PUBLIC' }
const NONE: EgressPolicy = { ...OPEN, mode: 'NONE' }

interface Browser {
  proxy: EgressProxy
  outcomes: ConnectionOutcome[]
}

async function openEgress(options: WorkerEgressOptions = {}): Promise<WorkerEgress> {
  return opened.adopt(new WorkerEgress(pino({ level: 'silent' }), options), (egress) => egress.close())
}

async function openBrowser(egress: WorkerEgress, policy: EgressPolicy): Promise<Browser> {
  const proxy = await egress.open()
  const outcomes: ConnectionOutcome[] = []
  await proxy.assign(policy, (outcome) => outcomes.push(outcome))
  return { proxy, outcomes }
}

async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.defer(() => closeServer(server))
  return (server.address() as AddressInfo).port
}

async function closeServer(server: Server): Promise<void> {
  if (server.listening) await new Promise((resolve) => server.close(resolve))
}

const echo = (socket: Socket) => void socket.pipe(socket)

async function names(recordsOf: (name: string) => Records | null, ttl?: number) {
  return opened.adopt(await startNameServer(recordsOf, ttl), (server) => server.close())
}

async function said(socket: Socket, text: string): Promise<string> {
  socket.end(text)
  return Buffer.concat(await socket.toArray()).toString()
}

describe('a connection', () => {
  test('is a tunnel whose bytes and ends pass as they are', async () => {
    const port = await serve(echo)
    const { proxy, outcomes } = await openBrowser(await openEgress(), OPEN)
    expect(await said(await through(proxy.port, '127.0.0.1', port), 'hello')).toBe('hello')
    expect(outcomes).toEqual([
      {
        host: '127.0.0.1',
        port,
        startedAt: expect.any(Number),
        endedAt: expect.any(Number),
        dnsMs: null,
        connectMs: expect.any(Number),
        peer: { address: '127.0.0.1', port },
        failure: null,
      },
    ])
  })

  test('is blocked before a policy is assigned', async () => {
    const port = await serve(echo)
    const proxy = await (await openEgress()).open()
    await expect(through(proxy.port, '127.0.0.1', port)).rejects.toThrow('NotAllowed')
  })

  test('to a private address is blocked in public', async () => {
    const port = await serve(echo)
    const { proxy, outcomes } = await openBrowser(await openEgress(), PUBLIC)
    await expect(through(proxy.port, '127.0.0.1', port)).rejects.toThrow('NotAllowed')
    expect(outcomes[0]).toMatchObject({ peer: null, failure: { code: 'BLOCKED', rule: 'loopback address' } })
  })
})

test('rebinding: the address that was judged is the one that is connected to', async () => {
  const port = await serve(echo)
  const server = await names((name) => (name === 'site.test' ? ['127.0.0.1'] : null))
  const { proxy } = await openBrowser(await openEgress({ dnsServers: [server.address] }), {
    ...NONE,
    allow: ['site.test'],
  })
  expect(await said(await through(proxy.port, 'site.test', port), 'x')).toBe('x')
  expect(server.questions.sort()).toEqual(['A site.test', 'AAAA site.test'])
  void say
  void once
  void vi
})
