import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { endWaiting } from '../../src/domain/starts/end-waiting.ts'
import { NO_HOLDER } from '../../src/ports/sessions/session-record.ts'
import { START_VERSION } from '../../src/ports/store/start-store.ts'
import { numbered, sampleSession, statusChange } from '../contracts/store-samples.ts'
import { history, store, useStore } from '../support/session-log.ts'

useStore()

const END = { status: 'CLOSED', endReason: 'TERMINATED', error: null } as const
const ENTRIES = numbered([statusChange])

/** A session that waits again, after the machine that started it with a task was lost. */
async function waiting() {
  const record = sampleSession({ ...NO_HOLDER, id: randomUUID(), owner: randomUUID(), lastSequence: 1 })
  expect(await store.queueSession(record, ENTRIES, new Uint8Array(), 100)).toEqual({ kind: 'inserted' })
  const cost = { inputTokens: 0, outputTokens: 0, usd: null }
  const task = { id: randomUUID(), sessionId: record.id, owner: record.owner, prompt: 'go', steps: 0, cost }
  const row = { ...task, status: 'RUNNING' as const, result: null, error: null, createdAt: Date.now(), endedAt: null }
  await store.insertTask(row)
  return { record, taskId: row.id }
}

test('a waiting session ends once, with the task that a lost machine left behind', async () => {
  const { record, taskId } = await waiting()
  // Several machines may try: within one millisecond they write the same, and each is told that it has succeeded.
  const ends = await Promise.all([endWaiting(store, record, END), endWaiting(store, record, END)])
  expect(ends.find((ended) => ended !== null)).toMatchObject({ ...END, lastSequence: 3 })
  expect(await endWaiting(store, record, END)).toBeNull()
  expect(await store.findSession(record.id)).toMatchObject(END)
  const error = 'The server stopped while the task ran.'
  expect(await store.findTask(taskId)).toMatchObject({ status: 'FAILED', error, endedAt: expect.any(Number) })
  const log = await history(record.id)
  expect(log.slice(1)).toMatchObject([
    { kind: 'TASK_ENDED', data: { taskId, status: 'FAILED', error } },
    { kind: 'STATUS_CHANGE', data: { from: 'CREATING', to: 'CLOSED', endReason: 'TERMINATED' } },
  ])
})

test('a session that was claimed meanwhile is left alone, and so is its task', async () => {
  const { record, taskId } = await waiting()
  const report = { address: null, version: '1', slots: 2, live: 0, queued: 0, warm: 0, draining: false }
  const machine = { id: randomUUID(), instance: randomUUID(), leaseMs: 3_600_000 }
  const machineEpoch = await store.machines.begin(machine, report)
  const claimant = { machineId: machine.id, machineEpoch, live: 0, warm: 0, graceMs: 0, version: START_VERSION }
  expect((await store.claimStart(claimant)).claimed).toMatchObject({ sessionId: record.id })
  expect(await endWaiting(store, record, END)).toBeNull()
  expect(await store.findSession(record.id)).toMatchObject({ status: 'CREATING', machineId: machine.id })
  expect(await store.findTask(taskId)).toMatchObject({ status: 'RUNNING' })
})
