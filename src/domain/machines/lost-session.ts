import type { EntryDraft, LogEntry } from '../../ports/log/log-entry.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Store } from '../../ports/store/store.ts'
import type { TaskRecord } from '../../ports/tasks/task.ts'
import { LOST_TASK, lostTaskEnded, runningTasksOf } from '../tasks/tasks-of-session.ts'

type LossStore = Pick<Store, 'append' | 'updateTask' | 'listTasks' | 'findEntry'>

/**
 * A session whose server no longer runs it, and its end as FAILED / MACHINE_LOST: determined once, however often the
 * write is retried.
 */
export class LostSession {
  readonly record: SessionRecord
  readonly #running: readonly TaskRecord[]
  readonly #entries: readonly LogEntry[]
  readonly #error: string

  private constructor(
    record: SessionRecord,
    running: readonly TaskRecord[],
    entries: readonly LogEntry[],
    error: string,
  ) {
    this.record = record
    this.#running = running
    this.#entries = entries
    this.#error = error
  }

  static async read(store: LossStore, record: SessionRecord, error: string): Promise<LostSession> {
    const last = await store.findEntry(record.id, record.lastSequence)
    // The clock of the machine that was lost may be ahead of this one's.
    const at = Math.max(Date.now(), record.lastActivityAt, last?.at ?? 0)
    const running = await runningTasksOf(store, record.id)
    const drafts: EntryDraft[] = running.map((task) => lostTaskEnded(task, at))
    if (record.status === 'RUNNING') drafts.push(missingSince(last?.at ?? record.createdAt, at))
    const data = { from: record.status, to: 'FAILED', endReason: 'MACHINE_LOST', error } as const
    drafts.push({ kind: 'STATUS_CHANGE', at, data })
    const entries = drafts.map((draft, index): LogEntry => ({ ...draft, sequence: record.lastSequence + 1 + index }))
    return new LostSession(record, running, entries, error)
  }

  /** False: another server has ended it, or its own still writes. */
  async end(store: LossStore): Promise<boolean> {
    const endedAt = this.#entries.at(-1)!.at
    const error = this.#error
    for (const { id } of this.#running) await store.updateTask(id, { status: 'FAILED', error: LOST_TASK, endedAt })
    const patch = { status: 'FAILED', endReason: 'MACHINE_LOST', error, endedAt } as const
    const { id, lastSequence } = this.record
    const outcome = await store.append(id, lastSequence, this.#entries, patch)
    return outcome.kind === 'committed'
  }
}

/** Queued entries, and events that the browser had not delivered yet, were lost with them. Their number is unknown. */
function missingSince(from: number, to: number): EntryDraft<'ENTRIES_DROPPED'> {
  return { kind: 'ENTRIES_DROPPED', at: to, data: { reason: 'TERMINATED', count: null, countsByKind: {}, from, to } }
}
