import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { leakGate } from '../../support/leak-gate.ts'
import { openSilentPort } from '../../support/silent-port.ts'
import { answerTo, echo, EgressStage, OPEN } from './egress-stage.ts'
import { through } from './socks-client.ts'

leakGate()
const stage = new EgressStage()

describe('a tunnel', () => {
  test('passes bytes and ends as they are, and is told with what it took', async () => {
    const target = await stage.serve(echo)
    const { port, outcomes } = await stage.browser(OPEN)
    expect(await answerTo(await through(port, '127.0.0.1', target), 'hello')).toBe('hello')
    await expect.poll(() => outcomes.length).toBe(1)
    const [outcome] = outcomes
    expect(outcome).toEqual({
      host: '127.0.0.1',
      port: target,
      startedAt: expect.any(Number),
      endedAt: expect.any(Number),
      dnsMs: null,
      connectMs: expect.any(Number),
      peer: { address: '127.0.0.1', port: target },
      failure: null,
    })
    expect(outcome!.endedAt).toBeGreaterThanOrEqual(outcome!.startedAt)
  })

  test('is reset when either side is', async () => {
    const sockets: Socket[] = []
    const target = await stage.serve((socket) => sockets.push(socket))
    const { port } = await stage.browser(OPEN)
    const client = await through(port, '127.0.0.1', target)
    client.write('begun')
    await expect.poll(() => sockets[0]?.bytesRead).toBe(5)
    const clientError = once(client, 'error') as Promise<NodeJS.ErrnoException[]>
    sockets[0]!.resetAndDestroy()
    expect((await clientError)[0]!.code).toBe('ECONNRESET')

    const another = await through(port, '127.0.0.1', target)
    await expect.poll(() => sockets.length).toBe(2)
    const targetError = once(sockets[1]!.resume(), 'error') as Promise<NodeJS.ErrnoException[]>
    another.resetAndDestroy()
    expect((await targetError)[0]!.code).toBe('ECONNRESET')
  })

  test.each(['FIN', 'RST'])('has an early %s of the target after the first byte of the browser', async (kind) => {
    const target = await stage.serve((socket) => (kind === 'FIN' ? socket.end('hi') : socket.resetAndDestroy()))
    const other = await stage.serve(echo)
    const { port } = await stage.browser(OPEN, { limits: { endHeldMs: 2 ** 30 } })
    const client = await through(port, '127.0.0.1', target)
    const events: string[] = []
    for (const event of ['data', 'end', 'error']) client.on(event, () => events.push(event))
    client.resume()
    // Anything sent earlier would have arrived before this response.
    expect(await answerTo(await through(port, '127.0.0.1', other), 'hello')).toBe('hello')
    expect(events).toEqual(kind === 'FIN' ? ['data'] : [])
    client.write('first')
    await expect.poll(() => events).toEqual(kind === 'FIN' ? ['data', 'end'] : ['error'])
    client.destroy()
  })

  test('has an early end after a while, when the browser sends nothing', async () => {
    const target = await stage.serve((socket) => socket.end())
    const resetting = await stage.serve((socket) => socket.resetAndDestroy())
    const { port } = await stage.browser(OPEN, { limits: { endHeldMs: 1 } })
    const ended = await through(port, '127.0.0.1', target)
    await once(ended.resume(), 'end')
    ended.destroy()
    const broken = await through(port, '127.0.0.1', resetting)
    await expect(once(broken.resume(), 'end')).rejects.toThrow('ECONNRESET')
  })

  test('is no faster than its slower end, and loses nothing', async () => {
    const size = 96 * 1024 * 1024
    let sender: Socket | null = null
    const target = await stage.serve((socket) => {
      sender = socket
      const piece = Buffer.alloc(256 * 1024, 'x')
      let left = size
      const send = () => {
        while (left > 0) {
          left -= piece.length
          if (!socket.write(piece)) return void socket.once('drain', send)
        }
        socket.end()
      }
      send()
    })
    const { port } = await stage.browser(OPEN)
    const client = await through(port, '127.0.0.1', target)
    client.pause()
    let [before, same] = [-1, 0]
    while (same < 10) {
      await pause(20)
      const sent = sender ? (sender as Socket).bytesWritten - (sender as Socket).writableLength : 0
      same = sent === before ? same + 1 : 0
      before = sent
    }
    // No more than the kernel's buffers of three connections.
    expect(before).toBeLessThan(size / 2)
    let received = 0
    for await (const piece of client) received += (piece as Buffer).length
    expect(received).toBe(size)
    client.destroy()
  })
})

describe('a failure is told as Chromium would have named it', () => {
  test('refused', async () => {
    const { port, outcomes } = await stage.browser(OPEN)
    await expect(through(port, '127.0.0.1', 1)).rejects.toThrow('ConnectionRefused')
    await expect.poll(() => outcomes.length).toBe(1)
    expect(outcomes.map(({ failure, peer }) => [failure, peer])).toEqual([
      [{ code: 'REFUSED', netError: 'net::ERR_CONNECTION_REFUSED', rule: null }, null],
    ])
  })

  test('silent', async () => {
    const silent = stage.own(await openSilentPort(), (opened) => opened.close())
    const { port, outcomes } = await stage.browser(OPEN, { limits: { connectMs: 200 } })
    await expect(through(port, '127.0.0.1', silent.port)).rejects.toThrow('HostUnreachable')
    await expect.poll(() => outcomes.length).toBe(1)
    expect(outcomes[0]!.failure).toEqual({ code: 'TIMED_OUT', netError: 'net::ERR_CONNECTION_TIMED_OUT', rule: null })
    expect(outcomes[0]!.connectMs).toBeGreaterThan(0)
  })
})

test('connections of a browser are bounded, and those of another are not concerned', async () => {
  const target = await stage.serve(echo)
  const egress = stage.egress({ limits: { connectionsPerBrowser: 2 } })
  const [one, other] = [await stage.browser(OPEN, egress), await stage.browser(OPEN, egress)]
  const held = [await through(one.port, '127.0.0.1', target), await through(one.port, '127.0.0.1', target)]
  await expect(through(one.port, '127.0.0.1', target)).rejects.toThrow()
  expect(await answerTo(await through(other.port, '127.0.0.1', target), 'mine')).toBe('mine')
  expect(await answerTo(held[0]!, 'still')).toBe('still')
  await expect.poll(async () => await answerTo(await through(one.port, '127.0.0.1', target), 'room')).toBe('room')
  held[1]!.destroy()
})

test('a policy is in force once assigned, and ends what an earlier one let through', async () => {
  const target = await stage.serve(echo)
  const egress = stage.egress()
  const proxy = await egress.open()
  await expect(through(proxy.port, '127.0.0.1', target)).rejects.toThrow('NotAllowed')
  const { port, outcomes } = await stage.browser(OPEN, egress)
  expect(port).not.toBe(proxy.port)
  await proxy.assign(OPEN, (outcome) => outcomes.push(outcome))
  const client = await through(proxy.port, '127.0.0.1', target)
  const ended = once(client.resume(), 'end')
  await proxy.assign({ ...OPEN, mode: 'NONE' }, () => {})
  await ended
  client.destroy()
  await expect(through(proxy.port, '127.0.0.1', target)).rejects.toThrow('NotAllowed')
})

test('a proxy that is closed has no port and no connections', async () => {
  const target = await stage.serve(echo)
  const { proxy, port } = await stage.browser(OPEN)
  const client = await through(port, '127.0.0.1', target)
  const ended = once(client.resume(), 'end')
  await proxy.close()
  await ended
  client.destroy()
  await expect(through(port, '127.0.0.1', target)).rejects.toThrow('ECONNREFUSED')
  await expect(proxy.assign(OPEN, () => {})).rejects.toThrow('The egress proxy is unavailable: it has been closed.')
  await proxy.close()
})
