import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Request, Response } from '../../src/domain/remote/call-messages.ts'
import { ChannelCalls } from '../../src/domain/remote/channel-calls.ts'
import { decode, encode } from '../../src/domain/remote/codec.ts'
import type { MachineChannel } from '../../src/ports/machines/machine-link.ts'
import { KeepingClient } from '../support/keeping-client.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A client of a session of another machine, as that machine sees it. */
async function attach() {
  const sent: Request[] = []
  let receive: (message: Uint8Array) => void = () => {}
  const channel: MachineChannel = {
    closed: new Promise<void>(() => {}),
    unsentBytes: 0,
    send: (message) => void sent.push(decode(message) as Request),
    onMessage: (listener) => void (receive = listener),
    onDrain: () => {},
    close: () => {},
  }
  const client = new KeepingClient()
  const attaching = ChannelCalls.ofSession(channel, 's').attachClient('a client', client)
  const { id } = sent.at(-1) as Extract<Request, { say: 'CALL' }>
  const say = (response: Response) => receive(encode(response))
  say({ say: 'RESULT', id, result: null })
  await attaching
  sent.length = 0
  const answer = (text: string) => say({ say: 'SEND', id, bytes: Buffer.from(JSON.stringify({ text })), isLast: true })
  return { client, sent, answer, taken: (bytes: number, unsentBytes = 0) => ({ say: 'TAKEN', id, bytes, unsentBytes }) }
}

test('what a client has taken is reported for many small messages at once, and for large ones at once', async () => {
  const { client, sent, answer, taken } = await attach()
  for (let message = 0; message < 100; message += 1) answer('x'.repeat(89))
  expect(client.messages).toHaveLength(100)
  expect(sent).toEqual([])
  vi.advanceTimersByTime(50)
  expect(sent).toEqual([taken(10_000)])
  sent.length = 0
  answer('')
  answer('x'.repeat(1_000_000))
  expect(sent).toEqual([taken(1_000_022)])
  vi.advanceTimersByTime(1_000)
  expect(sent).toHaveLength(1)
})

test('what a client has not read is reported until it has', async () => {
  const { client, sent, answer, taken } = await attach()
  client.unsentBytes = 500
  answer('')
  vi.advanceTimersByTime(100)
  expect(sent).toEqual([taken(11, 500), taken(0, 500)])
  client.unsentBytes = 0
  vi.advanceTimersByTime(1_000)
  expect(sent.slice(2)).toEqual([taken(0)])
})
