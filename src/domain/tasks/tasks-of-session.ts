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
