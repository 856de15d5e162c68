import { expect, test } from 'vitest'
import { gatherMessages, type MessageQueue } from '../../../src/adapters/postgres/embedded/gathered-messages.ts'

/** A queue that responds to each call with its text. */
function startQueue() {
  const executed: string[] = []
  const cleared: number[] = []
  const queue: MessageQueue = {
    enqueue: (connection, message, onData) => {
      executed.push(`${connection}: ${Buffer.from(message).toString()}`)
      onData(message)
      return Promise.resolve(message.length)
    },
    clearQueueForHandler: (connection) => void cleared.push(connection),
  }
  gatherMessages(queue)
  const send = async (connection: number, ...messages: string[]) => {
    const responses: string[] = []
    for (const message of messages) {
      await queue.enqueue(connection, Buffer.from(message), (data) => responses.push(Buffer.from(data).toString()))
    }
    return responses
  }
  return { executed, cleared, send, queue }
}

test('the messages of a statement are executed together, and responded to once', async () => {
  const { send, executed } = startQueue()
  expect(await send(1, 'P1', 'B2', 'D3', 'E4', 'S5', 'Q6')).toEqual(['P1B2D3E4S5', 'Q6'])
  expect(executed).toEqual(['1: P1B2D3E4S5', '1: Q6'])
})

test('those of one connection are never executed with those of another', async () => {
  const { send, executed } = startQueue()
  await send(1, 'B1')
  await send(2, 'B2')
  await send(1, 'S1')
  await send(2, 'S2')
  expect(executed).toEqual(['1: B1S1', '2: B2S2'])
})

test('what a connection left unfinished is not executed', async () => {
  const { send, executed, cleared, queue } = startQueue()
  await send(1, 'B1', 'E1')
  queue.clearQueueForHandler(1)
  await send(1, 'S1')
  await send(2, 'B2', 'X')
  await send(3, 'B3', '\0start')
  expect(executed).toEqual(['1: S1', '2: X', '3: \0start'])
  expect(cleared).toEqual([1])
})

test('a statement of any number of messages is executed', async () => {
  const { send, executed } = startQueue()
  await send(1, ...Array.from({ length: 250 }, () => 'E'), 'S')
  expect(executed.join('').replaceAll('1: ', '')).toBe(`${'E'.repeat(250)}S`)
  expect(executed).toHaveLength(3)
})

/** A queue that responds to a message with these pieces, from memory that the next piece overwrites. */
function startResponder(...sizes: number[]) {
  const memory = Buffer.alloc(Math.max(...sizes))
  const queue: MessageQueue = {
    enqueue: (connection, _, onData) => {
      sizes.forEach((size, index) => onData(memory.subarray(0, size).fill(connection * 10 + index)))
      return Promise.resolve(sizes.reduce((sum, size) => sum + size))
    },
    clearQueueForHandler: () => {},
  }
  gatherMessages(queue)
  return async (connection: number) => {
    const written: Buffer[] = []
    const bytes = await queue.enqueue(connection, Buffer.from('S'), (data) => void written.push(Buffer.from(data)))
    return { bytes, written }
  }
}

const PIECE = 8192

test.each([
  ['a short response at once', [100], [100]],
  ['a long one in larger pieces', [...Array<number>(20).fill(PIECE), 7], [65_536, 65_536, 32_775]],
  ['one that ends with a whole piece', Array<number>(9).fill(PIECE), [65_536, PIECE]],
  ['what is longer than these as it is', [PIECE, 200_000, PIECE, 5], [PIECE, 200_000, PIECE + 5]],
  ['what comes after the end of a response', [PIECE, 5, 6, PIECE], [PIECE + 5, 6, PIECE]],
])('writes %s', async (_, sizes, writes) => {
  const respond = startResponder(...sizes)
  const [one, other] = await Promise.all([respond(1), respond(2)])
  const expected = (connection: number) =>
    Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, connection * 10 + index)))
  for (const [connection, { bytes, written }] of [one, other].entries()) {
    expect(written.map(({ length }) => length)).toEqual(writes)
    expect(Buffer.concat(written).equals(expected(connection + 1))).toBe(true)
    expect(bytes).toBe(sizes.reduce((sum, size) => sum + size))
  }
})
