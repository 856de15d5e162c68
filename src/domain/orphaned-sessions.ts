import type { Logger } from 'pino'
import type { EntryDraft, LogEntry } from '../ports/log-entry.ts'
import type { SessionRecord, Store } from '../ports/store.ts'
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
    const drafts: EntryDraft[] = tasks.map((task) => taskEnded(task, at))
    if (record.status === 'RUNNING') drafts.push(await unheardSince(store, record, at))
    const data = { from: record.status, to: 'FAILED', endReason: 'MACHINE_LOST', error: ERROR } as const
    drafts.push({ kind: 'STATUS_CHANGE', at, data })
    const entries = drafts.map((draft, index): LogEntry => ({ ...draft, sequence: record.lastSequence + 1 + index }))
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

/**
 * What waited for the database, and what the browser had not handed over yet, died with them. Nobody knows whether there
 * was any.
 */
async function unheardSince(store: Store, record: SessionRecord, at: number): Promise<EntryDraft<'ENTRIES_DROPPED'>> {
  const last = await store.findEntry(record.id, record.lastSequence)
  const from = Math.min(last?.at ?? record.createdAt, at)
  const data = { reason: 'TERMINATED', count: null, countsByKind: {}, from, to: at } as const
  return { kind: 'ENTRIES_DROPPED', at, data }
}

function taskEnded(task: TaskRecord, at: number): EntryDraft<'TASK_ENDED'> {
  const { id: taskId, steps, cost } = task
  const data = { taskId, status: 'FAILED', result: null, error: TASK_ERROR, steps, cost } as const
  return { kind: 'TASK_ENDED', at, data }
}
