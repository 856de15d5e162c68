import type { EntryDraft, LogEntry } from '../../ports/log/log-entry.ts'
import { NO_HOLDER, type SessionHolder, type SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Store } from '../../ports/store/store.ts'
import { LOST_TASK, lostTaskEnded, runningTasksOf } from '../tasks/tasks-of-session.ts'

export type WaitingStore = Pick<Store, 'append' | 'listTasks' | 'updateTask'>

/**
 * Ends a session that no machine runs, with the tasks that a lost machine left behind. Null: it is held by another holder
 * by now, or has ended.
 */
export async function endWaiting(
  store: WaitingStore,
  record: SessionRecord,
  end: Pick<SessionRecord, 'status' | 'endReason' | 'error'>,
  holder: SessionHolder = NO_HOLDER,
): Promise<SessionRecord | null> {
  const { status: to, endReason, error } = end
  const at = Math.max(Date.now(), record.createdAt)
  const tasks = await runningTasksOf(store, record.id)
  const drafts: EntryDraft[] = tasks.map((task) => lostTaskEnded(task, at))
  drafts.push({ kind: 'STATUS_CHANGE', at, data: { from: record.status, to, endReason, error } })
  const entries = drafts.map((draft, index): LogEntry => ({ ...draft, sequence: record.lastSequence + 1 + index }))
  const patch = { ...end, endedAt: at }
  const outcome = await store.append(record.id, record.lastSequence, entries, patch, holder)
  if (outcome.kind !== 'committed') return null
  // Not before: a machine may have claimed the session meanwhile, and the tasks be those that it runs.
  for (const { id } of tasks) await store.updateTask(id, { status: 'FAILED', error: LOST_TASK, endedAt: at })
  return { ...record, ...patch, lastSequence: record.lastSequence + entries.length }
}
