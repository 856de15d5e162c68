import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { v7 as uuidv7 } from 'uuid'
import { InProcessBus } from '../../src/adapters/bus/in-process.ts'
import { CapacityQueue } from '../../src/domain/kernel/capacity-queue.ts'
import { StartClaims } from '../../src/domain/starts/start-claims.ts'
import { createLogger } from '../../src/logger.ts'
import type { Bus } from '../../src/ports/machines/bus.ts'
import { NO_HOLDER, type SessionHolder } from '../../src/ports/sessions/session-record.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { numbered, sampleSession, statusChange } from '../contracts/store-samples.ts'
import { faultyStore } from '../support/faulty-store.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()

/** One machine that claims starts; what it begins with them is up to the test. */

const REPORT = { address: null, version: '1', slots: 2, live: 0, queued: 0, warm: 0, draining: false }
const LONG_MS = 3_600_000

let holder: SessionHolder & { machineEpoch: number }
let slots: CapacityQueue
let claims: StartClaims
let begun: string[]

beforeEach(async () => {
  const machineId = randomUUID()
  const machineEpoch = await store.machines.begin({ id: machineId, instance: randomUUID(), leaseMs: LONG_MS }, REPORT)
  holder = { machineId, machineEpoch }
  slots = new CapacityQueue(2, 0)
  begun = []
})
afterEach(async () => {
  await claims.close()
  await store.machines.leave(holder.machineId, holder.machineEpoch)
})

function claimsOver(given: Store, bus: Bus = new InProcessBus()): StartClaims {
  return new StartClaims({
    store: given,
    bus,
    slots,
    holder: () => holder,
    warm: () => 0,
    requireSpace: async () => {},
    isHere: (id) => begun.includes(id),
    begin: async ({ sessionId }) => void begun.push(sessionId),
    ended: () => {},
    logger: createLogger('silent'),
  })
}

async function queue(): Promise<string> {
  const record = sampleSession({ ...NO_HOLDER, id: uuidv7() })
  expect(await store.queueSession(record, numbered([statusChange]), new Uint8Array([1]), 10)).toEqual({
    kind: 'inserted',
  })
  return record.id
}

/** The store, with something that happens after a claim is committed and before its answer arrives. */
const withClaim = (happens: (id: string) => void): Store => ({
  ...store,
  claimStart: async (claimant) => {
    const outcome = await store.claimStart(claimant)
    if (outcome.claimed) happens(outcome.claimed.sessionId)
    return outcome
  },
})

test('a claim whose answer was lost is released, and claimed again', async () => {
  const id = await queue()
  claims = claimsOver(faultyStore(store, ['claimStart'], ['after']))
  claims.open()
  await expect.poll(() => begun).toEqual([id])
  expect(await store.findSession(id)).toMatchObject(holder)
  expect(slots.live).toBe(1)
})

test('a start that was claimed while the machine begins to drain is left to others', async () => {
  const id = await queue()
  claims = claimsOver(withClaim(() => void slots.drain()))
  claims.open()
  await claims.look()
  await expect.poll(() => store.findSession(id)).toMatchObject(NO_HOLDER)
  expect(await store.countWaitingStarts()).toBe(1)
  expect([begun, slots.live]).toEqual([[], 0])
  await removeWaiting(id)
})

test('a start that was claimed while the machine shuts down is left to others before it has', async () => {
  const id = await queue()
  let closing: Promise<void> | undefined
  let claimed: string | undefined
  claims = claimsOver(
    withClaim((sessionId) => {
      claimed = sessionId
      closing ??= claims.close()
    }),
  )
  claims.open()
  await expect.poll(() => closing !== undefined).toBe(true)
  await closing
  expect(claimed).toBe(id)
  expect(await store.findSession(id)).toMatchObject(NO_HOLDER)
  expect([begun, slots.live]).toEqual([[], 0])
  await removeWaiting(id)
})

test('the queue is asked again after a claim only while others wait', async () => {
  let asked = 0
  // Without what it looks for by itself.
  vi.useFakeTimers({ toFake: ['setInterval'] })
  claims = claimsOver({ ...store, claimStart: (claimant) => ((asked += 1), store.claimStart(claimant)) })
  claims.open()
  vi.useRealTimers()
  await claims.look()
  const [before, first] = [asked, await queue()]
  await claims.look()
  expect([begun, asked - before]).toEqual([[first], 1])
})

test('all that wait are claimed at one look, as far as there are slots', async () => {
  const [first, second, third] = [await queue(), await queue(), await queue()]
  claims = claimsOver(store)
  claims.open()
  await claims.look()
  expect(begun).toEqual([first, second])
  await claims.close()
  await removeWaiting(third)
})

test('starts are noticed without wake-ups while NATS is away', async () => {
  const bus: Bus = { publish: () => {}, subscribe: () => () => {}, problem: 'NATS is away', close: async () => {} }
  claims = claimsOver(store, bus)
  claims.open()
  await claims.look()
  const first = await queue()
  await expect.poll(() => begun).toEqual([first])
  const second = await queue()
  await expect.poll(() => begun).toEqual([first, second])
})

/** The other tests have a queue of their own starts. */
async function removeWaiting(id: string): Promise<void> {
  const patch = { status: 'CLOSED', endedAt: Date.now() } as const
  await store.append(id, 1, [{ ...numbered([statusChange])[0]!, sequence: 2 }], patch)
  await store.deleteStarts()
}
