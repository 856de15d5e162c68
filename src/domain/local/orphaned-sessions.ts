import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import type { EntryDraft, LogEntry } from '../../ports/log-entry.ts'
import { StoreUnavailable } from '../../ports/store-errors.ts'
import type { SessionRecord } from '../../ports/session-record.ts'
import type { Store } from '../../ports/store.ts'
import type { TaskRecord } from '../../ports/task.ts'
import { StoreRetry } from '../log/store-retry.ts'
import { tasksOf } from '../tasks/tasks-of-session.ts'

const TASK_ERROR = 'The server stopped while the task ran.'
const ERROR = 'The server stopped without ending this session. Requests that were in flight then are not in the log.'

/** A session that an earlier process left behind, and its end: determined once, however often the write is retried. */
interface Orphan {
  record: SessionRecord
  running: TaskRecord[]
  entries: LogEntry[]
}

/**
 * Ends sessions that a crashed process left behind, as FAILED / MACHINE_LOST. Writes that fail because the disk is full
 * are deferred until they succeed: meanwhile the server runs, or nobody could free space.
 */
export class OrphanedSessions {
  readonly #store: Store
  readonly #logger: Logger
  readonly #patience: StoreRetry
  readonly #ending: Promise<void>[] = []

  constructor(store: Store, logger: Logger) {
    this.#store = store
    this.#logger = logger
    this.#patience = new StoreRetry(logger)
  }

  /**
   * Call before the first session is started. Resolves when each is ended or deferred: with their number, and with a
   * promise that the deferred ones are ended or abandoned; null: none is deferred.
   */
  async end(machineId: string): Promise<{ count: number; later: Promise<void> | null }> {
    const records = await this.#store.listLiveSessions(machineId)
    const orphans: Orphan[] = []
    for (const record of records) orphans.push(await this.#orphanOf(record))
    const waiting: Orphan[] = []
    for (const orphan of orphans) {
      try {
        await this.#end(orphan)
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        waiting.push(orphan)
      }
    }
    if (waiting.length === 0) return { count: records.length, later: null }
    const later = unowned(() => this.#endLater(waiting))
    this.#ending.push(later)
    return { count: records.length, later }
  }

  /** Deferred ones that remain are ended by the next start of the server. */
  async close(): Promise<void> {
    this.#patience.giveUp()
    await Promise.all(this.#ending)
  }

  /** Never rejects. */
  async #endLater(waiting: readonly Orphan[]): Promise<void> {
    this.#logger.warn(
      { orphans: waiting.length },
      'sessions that the last run left behind will be ended once the database can be written',
    )
    for (const orphan of waiting) {
      try {
        const isEnded = await this.#patience.untilAnswered(async () => {
          await this.#end(orphan)
          return true
        })
        if (isEnded === null) return
      } catch (error) {
        this.#logger.error({ err: error, sessionId: orphan.record.id }, 'an orphaned session could not be ended')
      }
    }
  }

  async #end({ record, running, entries }: Orphan): Promise<void> {
    const endedAt = entries[0]!.at
    for (const { id } of running) await this.#store.updateTask(id, { status: 'FAILED', error: TASK_ERROR, endedAt })
    const patch = { status: 'FAILED', endReason: 'MACHINE_LOST', error: ERROR, endedAt } as const
    const outcome = await this.#store.append(record.id, record.lastSequence, entries, patch)
    if (outcome.kind === 'conflict') {
      this.#logger.error({ sessionId: record.id, outcome }, 'an orphaned session has another writer')
    }
  }

  async #orphanOf(record: SessionRecord): Promise<Orphan> {
    const at = Date.now()
    const running: TaskRecord[] = []
    for await (const task of tasksOf(this.#store, record.id)) {
      if (task.status === 'RUNNING') running.push(task)
    }
    const drafts: EntryDraft[] = running.map((task) => taskEnded(task, at))
    if (record.status === 'RUNNING') drafts.push(await unheardSince(this.#store, record, at))
    const data = { from: record.status, to: 'FAILED', endReason: 'MACHINE_LOST', error: ERROR } as const
    drafts.push({ kind: 'STATUS_CHANGE', at, data })
    const entries = drafts.map((draft, index): LogEntry => ({ ...draft, sequence: record.lastSequence + 1 + index }))
    return { record, running, entries }
  }
}

/** Queued entries, and events that the browser had not delivered yet, were lost with them. Their number is unknown. */
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
