import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { endOrphanedSessions } from '../../src/domain/orphaned-sessions.ts'
import { createLogger } from '../../src/logger.ts'
import type { TaskRecord } from '../../src/ports/task.ts'
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

  expect(await endOrphanedSessions(store, record.machineId, createLogger('silent'))).toBe(1)

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
