import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Store } from '../../src/ports/store/store.ts'
import type { TaskRecord } from '../../src/ports/tasks/task.ts'
import { sampleSession } from './store-samples.ts'

const sampleTask = (members: Partial<TaskRecord> = {}): TaskRecord => ({
  id: randomUUID(),
  sessionId: randomUUID(),
  owner: `owner-${randomUUID()}`,
  prompt: 'Buy ünïcode 😀',
  status: 'RUNNING',
  result: null,
  error: null,
  steps: 0,
  cost: { inputTokens: 0, outputTokens: 0, usd: null },
  createdAt: 1_700_000_000_000,
  endedAt: null,
  ...members,
})

/** Part of the store contract: rows of tasks. */
export function describeTaskRows(store: () => Store): void {
  describe('tasks', () => {
    test('are found as they were inserted, and once when that is repeated after a lost answer', async () => {
      const task = sampleTask({ cost: { inputTokens: 3_000_000_000, outputTokens: 2, usd: 0.25 } })
      await store().insertTask(task)
      await store().insertTask(task)
      expect(await store().findTask(task.id)).toEqual(task)
      expect(await store().listTasks(task.sessionId, null)).toEqual([task])
      expect(await store().findTask(randomUUID())).toBeNull()
      expect(await store().listTasks(randomUUID(), null)).toEqual([])
    })

    test('change by what is given alone', async () => {
      const task = sampleTask()
      const other = sampleTask({ sessionId: task.sessionId, createdAt: task.createdAt + 1 })
      for (const record of [task, other]) await store().insertTask(record)
      const cost = { inputTokens: 10, outputTokens: 20, usd: 0.5 }
      await store().updateTask(task.id, { steps: 4, cost })
      expect(await store().findTask(task.id)).toEqual({ ...task, steps: 4, cost })
      const end = {
        status: 'COMPLETED',
        result: { list: [1, 'two', null], deep: { is: true } },
        endedAt: 1_700_000_000_900,
      } as const
      await store().updateTask(task.id, { ...end, result: { ...end.result, list: [...end.result.list] } })
      expect(await store().findTask(task.id)).toEqual({ ...task, ...end, steps: 4, cost })
      await store().updateTask(other.id, { status: 'FAILED', error: 'No model answered.', endedAt: 1_700_000_000_950 })
      expect(await store().findTask(other.id)).toEqual({
        ...other,
        status: 'FAILED',
        error: 'No model answered.',
        endedAt: 1_700_000_000_950,
      })
    })

    test('end once: what comes later changes nothing', async () => {
      const task = sampleTask()
      await store().insertTask(task)
      const end = {
        status: 'FAILED',
        error: 'The server stopped while the task ran.',
        endedAt: 1_700_000_000_900,
      } as const
      await store().updateTask(task.id, end)
      await store().updateTask(task.id, { status: 'COMPLETED', result: 'late', endedAt: 1_700_000_000_950 })
      expect(await store().findTask(task.id)).toEqual({ ...task, ...end })
    })

    test('of a session are listed oldest first, in steps, each once', async () => {
      const sessionId = randomUUID()
      // Three share each time, so that the id decides the order, also where a step ends.
      const tasks = Array.from({ length: 50 }, (_, index) =>
        sampleTask({ sessionId, createdAt: 1_700_000_000_000 + Math.floor(index / 3) }),
      )
      for (const task of tasks.toReversed()) await store().insertTask(task)
      await store().insertTask(sampleTask())
      const oldestFirst = tasks.toSorted(
        (one, other) => one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1),
      )
      const listed: TaskRecord[] = []
      let steps = 0
      let step: TaskRecord[]
      do {
        step = await store().listTasks(sessionId, listed.at(-1) ?? null)
        listed.push(...step)
        steps += 1
      } while (step.length > 0)
      expect(listed).toEqual(oldestFirst)
      expect(steps).toBeGreaterThan(2)
    })

    test('are deleted with their session, and not before', async () => {
      const [ended, live] = [sampleSession(), sampleSession()]
      for (const session of [ended, live]) {
        await store().insertSession(session, [])
        await store().insertTask(sampleTask({ id: session.id, sessionId: session.id }))
      }
      await store().patchSession(ended.id, { status: 'CLOSED', endReason: 'TERMINATED', endedAt: 100 })
      while (await store().deleteEndedBefore(101));
      expect(await store().findTask(ended.id)).toBeNull()
      expect(await store().findTask(live.id)).not.toBeNull()
    })
  })
}
