import { expect, onTestFinished, test } from 'vitest'
import { MessageBatch, MessageBudget } from '../../../src/adapters/playwright/recorders/messages/message-batch.ts'
import { RecorderSet } from '../../../src/adapters/playwright/recorders/recorder-set.ts'
import { TargetRegistry } from '../../../src/adapters/playwright/cdp/targets/target-registry.ts'
import type { MessageLimits } from '../../../src/adapters/playwright/cdp/pipe/message-limits.ts'
import { fakeCdpConnection, undelayedPipes } from './fake-cdp-connection.ts'
import { RecordingRecorder } from './recording-recorder.ts'
import { logger } from './test-pool.ts'

const CAPS = { sizePerSecond: 100, burst: 300, entries: 3, size: 1_000 }

/** A budget with a clock of the test. */
function budgetAt(caps = CAPS) {
  const clock = { ms: 0 }
  return { clock, budget: new MessageBudget(caps, () => clock.ms) }
}

test('a budget is filled again at its rate, up to its burst', () => {
  const { clock, budget } = budgetAt()
  expect([budget.take(300, false), budget.take(1, false)]).toEqual([true, false])
  clock.ms = 1_000
  expect([budget.take(101, false), budget.take(100, false), budget.take(1, false)]).toEqual([false, true, false])
  clock.ms = 1_000_000
  expect([budget.take(301, false), budget.take(300, false)]).toEqual([false, true])
})

test('a session has so many entries and so much text, however slowly they come', () => {
  const { clock, budget } = budgetAt()
  const begin = () => {
    clock.ms += 60_000
    return budget.take(100, true)
  }
  expect([begin(), begin(), begin(), begin()]).toEqual([true, true, true, false])
  clock.ms += 60_000
  expect(budget.take(300, false)).toBe(true)
  clock.ms += 60_000
  expect(budget.take(300, false)).toBe(true)
  clock.ms += 60_000
  expect([budget.take(101, false), budget.take(100, false)]).toEqual([false, true])
})

test('a message that finds no room is not even made, and a batch that is full becomes an entry at once', () => {
  const { budget } = budgetAt({ ...CAPS, burst: 101 * 64, size: 101 * 64 })
  const entries: number[][] = []
  const batch = new MessageBatch<number>(budget, (messages) => entries.push(messages))
  const kept = Array.from({ length: 101 }, (_, index) => batch.add(0, () => index))
  expect(kept.every(Boolean)).toBe(true)
  expect(
    batch.add(0, () => {
      throw new Error('made')
    }),
  ).toBe(false)
  expect(entries.map(({ length }) => length)).toEqual([100])
  batch.flush()
  expect(entries.map(({ length }) => length)).toEqual([100, 1])
})

test('a batch whose texts are large becomes an entry at once, long before it has its number of messages', () => {
  const { budget } = budgetAt({ sizePerSecond: 1, burst: 1e6, entries: 10, size: 1e6 })
  const entries: number[][] = []
  const batch = new MessageBatch<number>(budget, (messages) => entries.push(messages))
  for (let index = 0; index < 7; index += 1) batch.add(20 * 1024, () => index)
  expect(entries.every((messages) => messages.length <= 4)).toBe(true)
  expect(entries.length).toBeGreaterThan(0)
  batch.flush()
  expect(entries.flat()).toEqual([0, 1, 2, 3, 4, 5, 6])
})

/** A page with scripted browser events. */
function record(limits: Partial<MessageLimits> = {}) {
  const { connection, emit, attach } = fakeCdpConnection(undelayedPipes(limits))
  const targets = new TargetRegistry(connection)
  const recorder = new RecordingRecorder()
  const recording = new RecorderSet(connection, targets, recorder, true, '/no/such/folder', logger)
  onTestFinished(() => recording.stop())
  attach('page', 'page')
  return { emit, recorder, recording }
}

const LONG = 'x'.repeat(5_000)

test('server-sent events beyond the cap are counted at the end of their stream', async () => {
  const { emit, recorder } = record()
  const request = { url: 'http://site/events', method: 'GET', headers: {} }
  const shared = { requestId: '1', loaderId: 'l', timestamp: 1, type: 'EventSource' }
  emit('Network.requestWillBeSent', { ...shared, wallTime: 1, request }, 'page')
  const event = { requestId: '1', timestamp: 2, eventName: 'message', eventId: '', data: LONG }
  for (let count = 0; count < 10_000; count += 1) emit('Network.eventSourceMessageReceived', event, 'page')
  emit('Network.loadingFailed', { ...shared, errorText: 'net::ERR_ABORTED' }, 'page')
  await expect.poll(() => recorder.of('NETWORK_REQUEST').length).toBe(1)
  const entries = recorder.of('EVENT_SOURCE_MESSAGES')
  const stored = entries.reduce((sum, { messages }) => sum + messages.length, 0)
  expect(stored).toBeGreaterThan(900)
  expect(stored).toBeLessThan(10_000)
  expect(stored + entries.reduce((sum, { omitted }) => sum + omitted, 0)).toBe(10_000)
})

test('messages are ordered before the end of their WebSocket, with the times that the browser tells', () => {
  const { emit, recorder } = record()
  const socket = { requestId: '1', url: 'ws://site/x' }
  emit('Network.webSocketCreated', socket, 'page')
  const request = { headers: {} }
  emit('Network.webSocketWillSendHandshakeRequest', { requestId: '1', timestamp: 10, wallTime: 1_000, request }, 'page')
  const response = { opcode: 1, mask: false, payloadData: 'text' }
  for (const timestamp of [11, 12.5, Number.MAX_VALUE]) {
    emit('Network.webSocketFrameReceived', { requestId: '1', timestamp, response }, 'page')
  }
  emit('Network.webSocketClosed', { requestId: '1', timestamp: 13 }, 'page')
  const kinds = recorder.drafts.map(({ kind }) => kind).filter((kind) => kind.startsWith('WEB_SOCKET'))
  expect(kinds).toEqual(['WEB_SOCKET_OPENED', 'WEB_SOCKET_MESSAGES', 'WEB_SOCKET_CLOSED'])
  const [{ messages } = { messages: [] }] = recorder.of('WEB_SOCKET_MESSAGES')
  expect(messages.slice(0, 2).map(({ at }) => at)).toEqual([1_001_000, 1_002_500])
  // An invalid time is replaced by the time of receipt.
  expect(Math.abs(messages[2]!.at - Date.now())).toBeLessThan(600_000)
})

test('a message that is too large to be read is counted where its connection ends', () => {
  const { emit, recorder } = record({ parsed: 4_000 })
  const socket = { requestId: '1', url: 'ws://site/x' }
  emit('Network.webSocketCreated', socket, 'page')
  const response = { opcode: 1, mask: false, payloadData: LONG }
  emit('Network.webSocketFrameReceived', { requestId: '1', timestamp: 1, response }, 'page')
  emit('Network.webSocketFrameSent', { requestId: '1', timestamp: 1, response }, 'page')
  emit('Network.webSocketClosed', { requestId: '1', timestamp: 2 }, 'page')
  const counted = { framesSent: 1, framesReceived: 1, omittedSent: 1, omittedReceived: 1 }
  expect(recorder.of('WEB_SOCKET_CLOSED')).toMatchObject([counted])

  const shared = { requestId: '2', loaderId: 'l', timestamp: 1, type: 'EventSource' }
  const request = { url: 'http://site/events', method: 'GET', headers: {} }
  emit('Network.requestWillBeSent', { ...shared, wallTime: 1, request }, 'page')
  const event = { requestId: '2', timestamp: 2, eventName: 'message', eventId: '', data: LONG }
  emit('Network.eventSourceMessageReceived', event, 'page')
  emit('Network.loadingFinished', { ...shared, encodedDataLength: 1 }, 'page')
  expect(recorder.of('EVENT_SOURCE_MESSAGES')).toMatchObject([{ messages: [], omitted: 1 }])
})
