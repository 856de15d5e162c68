import { once } from 'node:events'
import { Session } from 'node:inspector/promises'
import { createServer, type Server } from 'node:net'
import { describe, expect, test } from 'vitest'
import { ownedBy } from '../../../src/fault-owner.ts'
import { leakGate } from '../../support/leak-gate.ts'
import { answerTo, echo, EgressStage, OPEN, PUBLIC } from './egress-stage.ts'
import { through } from './socks-client.ts'

leakGate()
const stage = new EgressStage()

/** Runs code in new threads of this process while it is attached, like a debugger. */
async function attachToThreads(): Promise<{ run(code: string): Promise<void> }> {
  const session = new Session()
  session.connect()
  const threads: string[] = []
  session.on('NodeWorker.attachedToWorker', ({ params }) => threads.push(params.sessionId))
  session.on('NodeWorker.detachedFromWorker', ({ params }) => threads.splice(threads.indexOf(params.sessionId), 1))
  await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  stage.own(session, async (opened) => {
    await opened.post('NodeWorker.disable')
    opened.disconnect()
  })
  return {
    async run(expression) {
      await expect.poll(() => threads.length).toBe(1)
      const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } })
      await session.post('NodeWorker.sendMessageToWorker', { sessionId: threads[0]!, message })
    },
  }
}

describe('a thread that', () => {
  const ways = {
    ends: 'process.exit(1)',
    'has a fault that is nobody’s': 'setImmediate(() => { throw new Error("a fault") })',
    'stands still': 'for (;;) {}',
    'runs out of memory': 'const all = []; for (;;) all.push(new Array(1e6).fill({}))',
  }
  test.each(Object.entries(ways))('%s lets nothing through, and another takes its place', async (_, code) => {
    const target = await stage.serve(echo)
    const threads = await attachToThreads()
    // Long enough for a thread to start in, or it would be taken for one that stands still.
    const egress = stage.egress({ timing: { pingMs: 50, missedPings: 100 } })
    const open = await stage.browser(OPEN, egress)
    const closed = await stage.browser(PUBLIC, egress)
    const tunnel = await through(open.port, '127.0.0.1', target)
    const ended = new Promise((resolve) => tunnel.on('error', resolve).once('end', resolve).resume())
    await threads.run(code)
    await ended
    tunnel.destroy()

    await expect
      .poll(async () => {
        const client = await through(open.port, '127.0.0.1', target)
        return await answerTo(client, 'back')
      })
      .toBe('back')
    await expect(through(closed.port, '127.0.0.1', target)).rejects.toThrow('NotAllowed')
    await expect.poll(() => closed.outcomes.at(-1)?.failure?.rule).toBe('loopback address')
    expect(open.outcomes.filter(({ failure }) => failure === null).length).toBeGreaterThanOrEqual(2)
    const another = await stage.browser(OPEN, egress)
    expect(await answerTo(await through(another.port, '127.0.0.1', target), 'new')).toBe('new')
    expect(open.proxy.port).toBe(open.port)
  })
})

test('a port that somebody else has taken meanwhile is tried again', async () => {
  const target = await stage.serve(echo)
  const threads = await attachToThreads()
  const egress = stage.egress()
  const [one, other] = [await stage.browser(OPEN, egress), await stage.browser(OPEN, egress)]
  await threads.run('process.exit(1)')
  const thief = createServer((socket) => socket.destroy())
  await expect.poll(() => listens(thief, one.port), { interval: 1 }).toBe(true)
  // The new thread has tried to open both.
  await expect.poll(async () => await answerTo(await through(other.port, '127.0.0.1', target), 'back')).toBe('back')
  await expect(through(one.port, '127.0.0.1', target)).rejects.toThrow()
  await new Promise((resolve) => thief.close(resolve))
  await expect.poll(async () => await answerTo(await through(one.port, '127.0.0.1', target), 'back')).toBe('back')
})

async function listens(server: Server, port: number): Promise<boolean> {
  server.listen(port, '127.0.0.1')
  return await once(server, 'listening').then(
    () => true,
    () => false,
  )
}

test('egress that is closed opens nothing, and what it opened is gone', async () => {
  const target = await stage.serve(echo)
  const egress = stage.egress()
  const { port, proxy } = await stage.browser(OPEN, egress)
  await Promise.all([egress.close(), egress.close()])
  await expect(egress.open()).rejects.toThrow('The egress proxy is unavailable: the server is shutting down.')
  await expect(proxy.assign(OPEN, () => {})).rejects.toThrow('unavailable')
  await expect(through(port, '127.0.0.1', target)).rejects.toThrow('ECONNREFUSED')
  await proxy.close()
})

test('a fault of whoever hears an outcome is theirs', async () => {
  const egress = stage.egress()
  const faults: unknown[] = []
  // Opening the first proxy starts the thread, but does not own it.
  const first = await ownedBy({ fail: () => faults.push('of the first') }, () => egress.open())
  const proxy = await egress.open()
  await ownedBy({ fail: (error) => faults.push(error) }, () =>
    proxy.assign(PUBLIC, () => {
      throw new Error('a fault')
    }),
  )
  await first.assign(PUBLIC, () => {})
  for (const { port } of [first, proxy]) await expect(through(port, '127.0.0.1', 9)).rejects.toThrow('NotAllowed')
  await expect.poll(() => faults).toEqual([new Error('a fault')])
})
