import { setImmediate as aTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { SessionNews } from '../../src/domain/remote/session-news.ts'
import { StartingSessionHandle } from '../../src/domain/remote/starting-session-handle.ts'
import type { SessionHandle } from '../../src/domain/sessions/session-handle.ts'
import { NO_HOLDER, type SessionRecord } from '../../src/ports/sessions/session-record.ts'
import { sampleSession } from '../contracts/store-samples.ts'

const NEVER = new AbortController().signal

// Else a busy machine would poll in between.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** Wakes each new subscriber once, as NATS does. */
class ConfirmingBus {
  subscriptions = 0
  readonly listeners = new Set<() => void>()

  subscribe(_: string, listener: () => void): () => void {
    this.subscriptions += 1
    this.listeners.add(listener)
    setImmediate(listener)
    return () => void this.listeners.delete(listener)
  }

  publish(): void {
    for (const listener of this.listeners) listener()
  }
}

test('news that come between two waits are not missed, and are told once', async () => {
  const bus = new ConfirmingBus()
  using news = new SessionNews(bus, 's')
  await news.next(NEVER)
  bus.publish()
  bus.publish()
  await news.next(NEVER)
  let isTold = false
  const waiting = news.next(NEVER).then(() => (isTold = true))
  await aTurn()
  expect(isTold).toBe(false)
  bus.publish()
  await waiting
  expect(bus.subscriptions).toBe(1)
})

test('a session that waits for a machine is read when there are news of it, not over and over', async () => {
  const bus = new ConfirmingBus()
  const waiting = { ...sampleSession({ ...NO_HOLDER }), status: 'CREATING' } as SessionRecord
  let record = waiting
  let reads = 0
  const findSession = async () => {
    reads += 1
    return record
  }
  const held = { reached: async () => ({ ...record, status: 'RUNNING' }) } as unknown as SessionHandle
  const handle = new StartingSessionHandle(waiting, {
    store: { findSession } as never,
    bus,
    handleOf: async ({ machineId }) => (machineId === NO_HOLDER.machineId ? null : held),
    saveUpload: () => Promise.reject(new Error('there is no upload')),
  })
  const reached = handle.reached('RUNNING', NEVER)
  for (let turn = 0; turn < 50; turn += 1) await aTurn()
  // When it is asked, and when the subscription is confirmed.
  expect([reads, bus.subscriptions]).toEqual([2, 1])
  record = { ...waiting, machineId: 'another', machineEpoch: 1 }
  bus.publish()
  expect((await reached).status).toBe('RUNNING')
  expect([reads, bus.subscriptions, bus.listeners.size]).toEqual([3, 1, 0])
})
