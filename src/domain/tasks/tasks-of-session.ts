import type { EntryDraft } from '../../ports/log/log-entry.ts'
import type { Store } from '../../ports/store/store.ts'
import type { TaskRecord } from '../../ports/tasks/task.ts'

/** Oldest first, read step by step: their number is unlimited. */
export async function* tasksOf(
  store: Pick<Store, 'listTasks'>,
  sessionId: string,
): AsyncGenerator<TaskRecord, void, void> {
  for (let after: TaskRecord | null = null; ;) {
    const step: TaskRecord[] = await store.listTasks(sessionId, after)
    yield* step
    after = step.at(-1) ?? null
    if (!after) return
  }
}

/** Of a session that no server runs: they were left behind by one that was lost. */
export async function runningTasksOf(store: Pick<Store, 'listTasks'>, sessionId: string): Promise<TaskRecord[]> {
  const running: TaskRecord[] = []
  for await (const task of tasksOf(store, sessionId)) if (task.status === 'RUNNING') running.push(task)
  return running
}

/** Error message of a task whose server was lost. */
export const LOST_TASK = 'The server stopped while the task ran.'

export function lostTaskEnded({ id: taskId, steps, cost }: TaskRecord, at: number): EntryDraft<'TASK_ENDED'> {
  return {
    kind: 'TASK_ENDED',
    at,
    data: { taskId, status: 'FAILED', result: null, error: LOST_TASK, steps, cost },
  }
}
