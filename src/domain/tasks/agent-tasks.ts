import type { Logger } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import type { ChatModel } from '../../ports/tasks/chat-model.ts'
import type { EntryDraft } from '../../ports/log/log-entry.ts'
import type { OutputSchemas } from '../../ports/tasks/output-schema.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Cost, TaskRecord } from '../../ports/tasks/task.ts'
import { approximateSize } from '../log/entries/entry-size.ts'
import { TabwireError } from '../kernel/errors.ts'
import { ResponseTooLarge } from '../log/reading/operation-reads.ts'
import { RunningTask, sumOfCosts, type TaskEnding } from './running-task.ts'
import { isEnded, SessionNotRunning } from '../kernel/session-state.ts'
import { hostOf, type TaskSession } from './task-session.ts'
import { parseTask, type TaskOptions } from './task-input.ts'
import { tasksOf } from './tasks-of-session.ts'
import { Deadline } from '../../async/deadline.ts'

/** No model for tasks is configured. */
class AiNotConfigured extends TabwireError {
  override readonly code = 'AI_NOT_CONFIGURED'
}

/** A session works on one task at a time. */
class TaskRunning extends TabwireError {
  override readonly code = 'TASK_RUNNING'
}

const CANCEL_WAIT_MS = 10_000

/**
 * Tasks in words: runs them in this process's live sessions, and finds them in any session. Other owners' tasks do not
 * exist.
 */
export class AgentTasks {
  readonly #store: Store
  readonly #model: ChatModel | null
  readonly #schemas: OutputSchemas
  readonly #logger: Logger
  /** By session; null while a task is being started. */
  readonly #running = new Map<string, { task: RunningTask; ended: Promise<void> } | null>()
  /** Cost of a session's tasks: its snapshot has it only after the commit. */
  readonly #spent = new WeakMap<TaskSession, Cost>()

  constructor(store: Store, model: ChatModel | null, schemas: OutputSchemas, logger: Logger) {
    this.#store = store
    this.#model = model
    this.#schemas = schemas
    this.#logger = logger
  }

  /** Throws AiNotConfigured if no task can be started. */
  requireModel(): ChatModel {
    if (this.#model) return this.#model
    throw new AiNotConfigured(
      'No model is configured for tasks: the server needs TABWIRE_AI_PROVIDER and TABWIRE_AI_MODEL.',
    )
  }

  /** Starts a task in a running session. Throws BadUserInput, SessionNotRunning, TaskRunning or AiNotConfigured. */
  async start(session: TaskSession, input: unknown): Promise<TaskRecord> {
    const options = await parseTask(input, this.requireModel(), this.#schemas)
    const { status } = session.snapshot()
    if (isEnded(status)) throw new SessionNotRunning()
    if (status === 'CREATING') throw new SessionNotRunning('The session does not run yet.')
    return this.#begin(session, options, () => undefined)
  }

  /**
   * Starts the initial task of a session, which waits until the session runs. Unless the session is kept alive, it ends
   * with the task; if the task was canceled it stays, for the client that canceled it.
   */
  async startInitial(session: TaskSession, prompt: string): Promise<TaskRecord> {
    const options = await parseTask({ prompt }, this.requireModel(), this.#schemas)
    return this.#begin(session, options, ({ status, error }) => {
      if (session.snapshot().keepAlive || status === 'CANCELLED') return
      void session.end(status === 'COMPLETED' ? 'TASK_COMPLETED' : 'TASK_FAILED', error)
    })
  }

  /**
   * Ends a task of a live session of this process as CANCELLED, soon. Throws SessionNotRunning if it does not run here.
   */
  async cancel(sessionId: string, taskId: string): Promise<TaskRecord> {
    const running = this.#running.get(sessionId)
    if (running?.task.record.id !== taskId) {
      throw new SessionNotRunning('The task is not running.')
    }
    running.task.cancel()
    await Deadline.isMet(running.ended, CANCEL_WAIT_MS)
    return running.task.record
  }

  async find(owner: string, taskId: string): Promise<TaskRecord | null> {
    const record = await this.#store.findTask(taskId)
    return record?.owner === owner ? record : null
  }

  /** Oldest first, all of them. Throws ResponseTooLarge if they exceed this many bytes. */
  async list(sessionId: string, maxBytes: number): Promise<TaskRecord[]> {
    const tasks: TaskRecord[] = []
    let bytes = 0
    for await (const task of tasksOf(this.#store, sessionId)) {
      bytes += approximateSize(task)
      if (bytes > maxBytes) throw new ResponseTooLarge()
      tasks.push(task)
    }
    return tasks
  }

  async #begin(session: TaskSession, options: TaskOptions, ended: (ending: TaskEnding) => void): Promise<TaskRecord> {
    if (this.#running.has(session.id)) {
      throw new TaskRunning('The session is working on a task: cancel it, or wait for its end.')
    }
    this.#running.set(session.id, null)
    const record: TaskRecord = {
      id: uuidv7(),
      sessionId: session.id,
      owner: session.owner,
      prompt: options.prompt,
      status: 'RUNNING',
      result: null,
      error: null,
      steps: 0,
      cost: { inputTokens: 0, outputTokens: 0, usd: this.requireModel().isPriced ? 0 : null },
      createdAt: Date.now(),
      endedAt: null,
    }
    try {
      await this.#store.insertTask(record)
      try {
        this.#run(session, record, options, ended)
      } catch (error) {
        const change = { status: 'CANCELLED', error: 'The session ended.', endedAt: Date.now() } as const
        await this.#store.updateTask(record.id, change)
        throw error
      }
      return record
    } catch (error) {
      this.#running.delete(session.id)
      throw error
    }
  }

  #run(session: TaskSession, record: TaskRecord, options: TaskOptions, ended: (ending: TaskEnding) => void): void {
    const host = hostOf(session, record.id)
    const events = {
      record: (draft: EntryDraft) => session.record(draft),
      spent: (cost: Cost) => {
        const total = sumOfCosts(this.#spent.get(session) ?? session.snapshot().cost, cost)
        this.#spent.set(session, total)
        session.log.patch({ cost: total })
      },
    }
    const task = new RunningTask(record, options, this.requireModel(), this.#store, host, events, this.#logger)
    session.occupy((stopped) => {
      const work = task.run(session.running, stopped).then((ending) => {
        this.#running.delete(session.id)
        ended(ending)
      })
      this.#running.set(session.id, { task, ended: work })
      return work
    })
  }
}
