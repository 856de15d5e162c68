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
