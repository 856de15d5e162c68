import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { OrphanedSessions } from '../../src/domain/local/orphaned-sessions.ts'
import { createLogger } from '../../src/logger.ts'
import type { TaskRecord } from '../../src/ports/tasks/task.ts'
import { faultyStore } from '../support/faulty-store.ts'
import { history, line, newLog, store, useStore } from '../support/session-log.ts'

useStore()

const cost = { inputTokens: 5, outputTokens: 1, usd: null }

function taskOf(sessionId: string, more: Partial<TaskRecord> = {}): TaskRecord {
  const task = { id: randomUUID(), sessionId, owner: 'ann', prompt: 'go', status: 'RUNNING' as const, result: null }
  return { ...task, error: null, steps: 3, cost, createdAt: Date.now(), endedAt: null, ...more }
}

test('a task that ran when the server died is FAILED at the next start, and the log says so before the end', async () => {
  const { record, log } = await newLog()
  log.append(line('the last words'))
  await log.flush()
  const running = taskOf(record.id)
  const done = taskOf(record.id, { status: 'COMPLETED', result: 'done', endedAt: Date.now() })
  for (const task of [done, running]) await store.insertTask(task)

  const orphaned = new OrphanedSessions(store, createLogger('silent'))
  expect(await orphaned.end(record.machineId)).toMatchObject({ count: 1 })

  const error = 'The server stopped while the task ran.'
  expect(await store.findTask(running.id)).toMatchObject({ status: 'FAILED', error, steps: 3, cost })
  expect((await store.findTask(running.id))?.endedAt).toEqual(expect.any(Number))
  expect(await store.findTask(done.id)).toEqual(done)
  const entries = await history(record.id)
  expect(entries.map(({ sequence, kind }) => [sequence, kind])).toEqual([
    [1, 'CONSOLE_MESSAGE'],
    [2, 'TASK_ENDED'],
    [3, 'ENTRIES_DROPPED'],
    [4, 'STATUS_CHANGE'],
  ])
  expect(entries[1]!.data).toMatchObject({ taskId: running.id, status: 'FAILED', error })
})

test('the end is not before the last entry, though the clock of the server that wrote it was ahead', async () => {
  const { record, log } = await newLog()
  const ahead = Date.now() + 600_000
  log.append({ ...line('from the future'), at: ahead })
  await log.flush()
  const orphaned = new OrphanedSessions(store, createLogger('silent'))
  await orphaned.end(record.machineId)
  expect((await history(record.id)).map(({ at }) => at)).toEqual([ahead, ahead, ahead])
  expect((await store.findSession(record.id))?.endedAt).toBe(ahead)
})

test('what the store cannot write at the start waits until it can, and is said once', async () => {
  const { record, log } = await newLog()
  log.append(line('the last words'))
  await log.flush()
  const running = taskOf(record.id)
  await store.insertTask(running)
  // Executed, but without a response: it is retried.
  const full = faultyStore(store, ['updateTask', 'append'], ['after', 'before', 'none', 'after'])
  const orphaned = new OrphanedSessions(full, createLogger('silent'))
  const { count, later } = await orphaned.end(record.machineId)
  expect(count).toBe(1)
  expect((await store.findSession(record.id))?.status).toBe('RUNNING')
  await later
  expect(await store.findSession(record.id)).toMatchObject({ status: 'FAILED', endReason: 'MACHINE_LOST' })
  expect((await history(record.id)).map(({ kind }) => kind)).toEqual([
    'CONSOLE_MESSAGE',
    'TASK_ENDED',
    'ENTRIES_DROPPED',
    'STATUS_CHANGE',
  ])
  await orphaned.close()
})

test('waiting for a store that stays away ends with the server', async () => {
  const { record } = await newLog()
  const away = faultyStore(
    store,
    ['append'],
    (function* () {
      for (;;) yield 'before' as const
    })(),
  )
  const orphaned = new OrphanedSessions(away, createLogger('silent'))
  const { later } = await orphaned.end(record.machineId)
  await orphaned.close()
  await later
  expect((await store.findSession(record.id))?.status).toBe('RUNNING')
})
