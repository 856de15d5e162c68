import { describe, expect, test, vi } from 'vitest'
import { MemoryBudget } from '../../src/domain/kernel/memory-budget.ts'
import type { Request, Response } from '../../src/domain/remote/call-messages.ts'
import { decode } from '../../src/domain/remote/codec.ts'
import { FarClient } from '../../src/domain/remote/far-client.ts'
import { NearClient } from '../../src/domain/remote/near-client.ts'
import type { CdpClient } from '../../src/ports/browser/cdp-client.ts'
import type { MachineChannel } from '../../src/ports/machines/machine-link.ts'

/** Messages of a client of the browser's protocol, on their way to a session of another machine. */

const KIB = 1024
const MIB = 1024 * KIB
const WAIT = { timeout: 30_000 }

type Sent = Extract<Request, { say: 'RECEIVE' }>

/** A channel that keeps what is sent until it is told to have sent it. */
function fakeChannel() {
  const sent: Sent[] = []
  const channel = {
    closed: new Promise<void>(() => {}),
    unsentBytes: 0,
    send: (message: Uint8Array) => {
      channel.unsentBytes += message.byteLength
      sent.push(decode(message) as Sent)
    },
    onMessage: () => {},
    onDrain: () => {},
    close: () => {},
  } satisfies MachineChannel
  return { channel, sent, sizes: () => sent.map(({ message }) => message.byteLength) }
}

function nearClient({ takesPieces = true } = {}) {
  const far = fakeChannel()
  const isPaused: boolean[] = []
  const client: CdpClient = {
    unsentBytes: 0,
    send: () => {},
    localUser: async () => null,
    pause: () => void isPaused.push(true),
    resume: () => void isPaused.push(false),
    close: vi.fn<CdpClient['close']>(),
  }
  const near = new NearClient(1, client, far.channel)
  if (takesPieces) near.sendInPieces()
  const drain = () => {
    far.channel.unsentBytes = 0
    near.regulate()
  }
  return { near, client, isPaused, drain, ...far }
}

const turn = () => new Promise(setImmediate)
/** Bytes that tell where they are. */
const numbered = (bytes: number) =>
  Buffer.alloc(bytes, Buffer.from(Uint32Array.from({ length: 999 }, (_, i) => i).buffer))

describe('a message to a session of another machine', () => {
  test.each([
    ['given as one', [numbered(8 * MIB)]],
    ['given in the parts in which it arrived', Array.from({ length: 160 }, (_, index) => numbered(50_000 + index))],
    ['given in the smallest parts', Array.from({ length: 16_384 }, (_, index) => Buffer.alloc(9, index))],
    ['given with empty parts', [Buffer.alloc(0), numbered(300_000), Buffer.alloc(0), numbered(1), Buffer.alloc(0)]],
    ['of a whole number of pieces', [numbered(128 * KIB), numbered(128 * KIB), Buffer.alloc(0)]],
  ])('is sent in pieces of one size, %s', async (_, message) => {
    const { near, sent, sizes, drain } = nearClient()
    let isTaken = false
    void Promise.resolve(near.receive(message)).then(() => (isTaken = true))
    while (!isTaken) {
      await turn()
      drain()
    }
    expect(Buffer.concat(sent.map((piece) => piece.message)).equals(Buffer.concat(message))).toBe(true)
    const lasts = sent.map(({ isLast }) => isLast)
    expect(lasts.indexOf(true)).toBe(sent.length - 1)
    // All but the last, and an empty one behind it at most.
    expect(
      sizes()
        .slice(0, -2)
        .every((size) => size === 128 * KIB),
    ).toBe(true)
    expect(Math.max(...sizes())).toBeLessThanOrEqual(128 * KIB)
  })

  test('is not sent faster than it leaves, and its client is not read meanwhile', async () => {
    const { near, sizes, drain, isPaused } = nearClient()
    const taken = near.receive([numbered(30 * MIB)])
    expect(isPaused).toEqual([true])
    let sentBytes = 0
    for (let round = 1; sentBytes < 30 * MIB; round += 1) {
      await vi.waitFor(() => expect(sizes().reduce((sum, size) => sum + size, 0)).toBeGreaterThan(sentBytes), WAIT)
      // Long enough for more to be sent, if it were.
      for (let turns = 0; turns < 20; turns += 1) await turn()
      const now = sizes().reduce((sum, size) => sum + size, 0)
      expect(now - sentBytes).toBeLessThanOrEqual(MIB + 128 * KIB)
      sentBytes = now
      expect(isPaused).toEqual([true])
      drain()
    }
    await taken
    await vi.waitFor(() => expect(isPaused).toEqual([true, false]), WAIT)
  })

  test('keeps its place among others', async () => {
    const { near, sent, drain } = nearClient()
    void near.receive([Buffer.from('first')])
    const large = near.receive([numbered(MIB), numbered(MIB)])
    const behind = near.receive([Buffer.from('behind it')])
    const empty = near.receive([])
    expect(sent.map(({ message }) => Buffer.from(message).toString())).toEqual(['first'])
    let isDone = false
    void Promise.all([large, behind, empty]).then(() => (isDone = true))
    while (!isDone) {
      await turn()
      drain()
    }
    void near.receive([Buffer.from('after it')])
    const ends = sent.filter(({ isLast }) => isLast !== false).map(({ message }) => Buffer.from(message).toString())
    expect([ends[0], ...ends.slice(2)]).toEqual(['first', 'behind it', '', 'after it'])
  })

  test('waits while the session wants nothing', async () => {
    const { near, sent, drain } = nearClient()
    near.pause()
    const taken = near.receive([numbered(512 * KIB)])
    for (let turns = 0; turns < 20; turns += 1) await turn()
    drain()
    await turn()
    expect(sent).toEqual([])
    near.resume()
    await taken
    expect(sent).toHaveLength(4)
  })

  test.each(['has left', 'was closed'])('is not sent to its end for a client that %s', async (how) => {
    const { near, sent, client, drain } = nearClient()
    const taken = near.receive([numbered(30 * MIB)])
    await vi.waitFor(() => expect(sent.length).toBeGreaterThan(0), WAIT)
    if (how === 'has left') near.stop()
    else near.close(4001, 'the session has ended')
    await taken
    const before = sent.length
    drain()
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(sent).toHaveLength(before)
    await near.receive([Buffer.from('late')])
    expect(sent).toHaveLength(before)
    expect(client.close).toHaveBeenCalledTimes(how === 'has left' ? 0 : 1)
  })

  test('is sent whole to a server that knows no pieces', () => {
    const { near, sent } = nearClient({ takesPieces: false })
    void near.receive([numbered(MIB), numbered(MIB)])
    expect(sent).toEqual([
      { say: 'RECEIVE', id: 1, message: new Uint8Array(Buffer.concat([numbered(MIB), numbered(MIB)])) },
    ])
  })
})

/** A client of another machine, and what its session is given. */
function farClient(memory = new MemoryBudget(1024 * MIB)) {
  const said: Response[] = []
  const received: string[] = []
  const handling: (() => void)[] = []
  const state = { isSlow: false }
  const far = new FarClient(1, (message) => said.push(message), memory)
  far.attached({
    receive: (message) => {
      received.push(Buffer.concat(message).toString())
      return state.isSlow ? new Promise((resolve) => handling.push(resolve)) : undefined
    },
    leave: async () => {},
  })
  return { far, said, received, handling, state }
}

describe('a message of a client of another machine', () => {
  test('is handed on once it is there, and what earlier servers send is whole', () => {
    const { far, received } = farClient()
    far.receive(Buffer.from('{"id"'), false)
    far.receive(Buffer.from(':1'), false)
    expect(received).toEqual([])
    far.receive(Buffer.from('}'), true)
    far.receive(Buffer.from('{"id":2}'), true)
    expect(received).toEqual(['{"id":1}', '{"id":2}'])
  })

  test('has a bound', () => {
    const { far, said, received } = farClient()
    const piece = Buffer.alloc(MIB)
    for (let sent = 0; sent < 64; sent += 1) far.receive(piece, false)
    expect(said).toEqual([])
    far.receive(Buffer.alloc(1), true)
    expect(said).toMatchObject([{ say: 'CLOSE', code: 1009 }])
    far.receive(Buffer.from('{"id":1}'), true)
    expect(received).toEqual([])
    expect(said).toHaveLength(1)
  })

  test('counts with those of all clients: the one that holds the most is disconnected', async () => {
    const memory = new MemoryBudget(4 * MIB)
    const [first, second] = [farClient(memory), farClient(memory)]
    first.far.receive(Buffer.alloc(1.5 * MIB), false)
    second.state.isSlow = true
    second.far.receive(Buffer.alloc(2 * MIB), true)
    expect([first.said, second.said]).toEqual([[], []])
    second.far.receive(Buffer.alloc(MIB), false)
    expect(first.said).toEqual([])
    expect(second.said).toMatchObject([{ say: 'CLOSE', code: 4009 }])
    await second.far.leave('CUT_OFF')
    second.handling.forEach((handled) => handled())
    first.far.receive(Buffer.alloc(2 * MIB), true)
    expect(first.said).toEqual([])
    expect(first.received).toHaveLength(1)
  })

  test('what a client does not take counts, too', () => {
    const memory = new MemoryBudget(4 * MIB)
    const { far, said } = farClient(memory)
    far.send([Buffer.alloc(3 * MIB)])
    far.taken(3 * MIB, 0)
    far.send([Buffer.alloc(3 * MIB)])
    expect(said.map(({ say }) => say)).toEqual(['SEND', 'SEND'])
    far.send([Buffer.alloc(3 * MIB)])
    expect(said.map(({ say }) => say)).toEqual(['SEND', 'SEND', 'SEND', 'CLOSE'])
  })
})
