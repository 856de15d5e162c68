import type { Logger } from 'pino'
import type { LogEntry } from '../ports/log-entry.ts'
import type { Store } from '../ports/store.ts'
import type { TaskRecord } from '../ports/task.ts'
import { tasksOf } from './tasks-of-session.ts'

const TASK_ERROR = 'The server stopped while the task ran.'
const ERROR = 'The server stopped without ending this session. Requests that were in flight then are not in the log.'

/**
 * Ends what an earlier process of this machine left behind when it died, as FAILED / MACHINE_LOST. Call before the first
 * session is started. Returns how many there were.
 */
export async function endOrphanedSessions(store: Store, machineId: string, logger: Logger): Promise<number> {
  const orphans = await store.listLiveSessions(machineId)
  for (const record of orphans) {
    const at = Date.now()
    const tasks = await failOrphanedTasks(store, record.id, at)
    const sequence = record.lastSequence + 1
    const entry: LogEntry<'STATUS_CHANGE'> = {
      kind: 'STATUS_CHANGE',
      sequence: sequence + tasks.length,
      at,
      data: { from: record.status, to: 'FAILED', endReason: 'MACHINE_LOST', error: ERROR },
    }
    const entries = [...tasks.map((task, index) => taskEndedEntry(task, sequence + index, at)), entry]
    const patch = { status: 'FAILED', endReason: 'MACHINE_LOST', error: ERROR, endedAt: at } as const
    const outcome = await store.append(record.id, record.lastSequence, entries, patch)
    if (outcome.kind === 'conflict') {
      logger.error({ sessionId: record.id, outcome }, 'an orphaned session has another writer')
    }
  }
  return orphans.length
}

/** The tasks of the session that were running, as they have been ended. */
async function failOrphanedTasks(store: Store, sessionId: string, endedAt: number): Promise<TaskRecord[]> {
  const running: TaskRecord[] = []
  for await (const task of tasksOf(store, sessionId)) {
    if (task.status === 'RUNNING') running.push(task)
  }
  const change = { status: 'FAILED', error: TASK_ERROR, endedAt } as const
  for (const { id } of running) await store.updateTask(id, change)
  return running
}

function taskEndedEntry(task: TaskRecord, sequence: number, at: number): LogEntry<'TASK_ENDED'> {
  const { id: taskId, steps, cost } = task
  const data = { taskId, status: 'FAILED', result: null, error: TASK_ERROR, steps, cost } as const
  return { kind: 'TASK_ENDED', sequence, at, data }
}
