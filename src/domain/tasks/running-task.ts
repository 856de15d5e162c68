import pRetry from 'p-retry'
import type { Logger } from 'pino'
import { Deadline } from '../../async/deadline.ts'
import { ChatModelFailed, type ChatModel, type ModelInput, type ModelStep } from '../../ports/tasks/chat-model.ts'
import { TEXT_LIMITS, type EntryDraft } from '../../ports/log/log-entry.ts'
import type { Json } from '../../ports/base/json.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Cost, TaskRecord, TaskStatus } from '../../ports/tasks/task.ts'
import { TabwireError } from '../kernel/errors.ts'
import type { SessionEnding } from '../kernel/session-state.ts'
import { ToolExecutor, type ToolHost } from './tool-executor.ts'
import type { TaskOptions } from './task-input.ts'
import { TaskPrompt } from './task-prompt.ts'
import { readResult } from './task-result.ts'
import { taskTools } from './task-tools.ts'
import { deeplyWellFormed } from '../log/entries/well-formed.ts'

/** The outcome of a task. */
export interface TaskEnding {
  status: Exclude<TaskStatus, 'RUNNING'>
  result: Json
  error: string | null
}

/** Events of a running task. */
export interface TaskEvents {
  /** Appends to the log of the session. */
  record(draft: EntryDraft): void
  /** Adds to the cost of the session. */
  spent(cost: Cost): void
}

/** Max history sent to a model: about a third of the context of common models. UTF-16 code units. */
const HISTORY_CHARACTERS = 160_000
/** Max consecutive responses of a model without a valid call, and max results that do not match the schema. */
const MAX_NONSENSE = 3
const MAX_BAD_RESULTS = 3
const STORE_TRIES = 5
const STORE_PAUSE_MS = 200

const failed = (error: string): TaskEnding => ({ status: 'FAILED', result: null, error })

/** A task, from its first observation to its end: the loop, its limits and its log. */
export class RunningTask {
  readonly #options: TaskOptions
  readonly #model: ChatModel
  readonly #store: Store
  readonly #host: ToolHost
  readonly #events: TaskEvents
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #record: TaskRecord
  #nonsense = 0
  #badResults = 0

  constructor(
    record: TaskRecord,
    options: TaskOptions,
    model: ChatModel,
    store: Store,
    host: ToolHost,
    events: TaskEvents,
    logger: Logger,
  ) {
    this.#record = record
    this.#options = options
    this.#model = model
    this.#store = store
    this.#host = host
    this.#events = events
    this.#logger = logger
  }

  get record(): TaskRecord {
    return this.#record
  }

  /** Ends it as CANCELLED, soon. */
  cancel(): void {
    this.#stop.abort({ status: 'CANCELLED', result: null, error: null } satisfies TaskEnding)
  }

  /** Never rejects. Begins when `ready` resolves; ends soon after `stopped` is aborted. */
  async run(ready: Promise<void>, stopped: AbortSignal): Promise<TaskEnding> {
    const signal = AbortSignal.any([this.#stop.signal, stopped])
    let ending: TaskEnding
    try {
      await Deadline.race(ready, signal)
      ending = await this.#workInTime(signal)
    } catch (error) {
      ending = signal.aborted ? endingOf(signal.reason) : this.#endingOfError(error)
    }
    await this.#conclude(ending)
    return ending
  }

  async #workInTime(stopped: AbortSignal): Promise<TaskEnding> {
    const { timeoutSeconds } = this.#options
    const late = failed(`The task took longer than ${timeoutSeconds} s (timeoutSeconds).`)
    using deadline = new Deadline(timeoutSeconds * 1000, [stopped], () => late)
    try {
      return await this.#work(deadline.signal)
    } catch (error) {
      if (deadline.hasExpired) return late
      throw error
    }
  }

  async #work(signal: AbortSignal): Promise<TaskEnding> {
    const { maxSteps, outputSchema } = this.#options
    const prompt = new TaskPrompt()
    const executor = new ToolExecutor(this.#host, prompt)
    const conversation = this.#model.converse({
      system: prompt.system(),
      tools: taskTools(outputSchema),
      historyCharacters: HISTORY_CHARACTERS,
    })
    const task = prompt.task(this.#options, new Date())
    let input: ModelInput = { text: task, answers: [], view: await executor.view(signal) }
    for (let step = 1; ; step += 1) {
      const askedAt = Date.now()
      const said = await conversation.next(input, signal)
      await this.#note(step, said, Date.now() - askedAt)
      const next = await this.#follow(said, executor, signal)
      signal.throwIfAborted()
      if ('status' in next) return next
      const spent = this.#overspent()
      if (spent) return failed(spent)
      if (step === maxSteps) return failed(`The model did not finish within ${maxSteps} answers (maxSteps).`)
      input = step === maxSteps - 1 ? { ...next, text: [next.text, LAST_ANSWER].filter(Boolean).join('\n\n') } : next
    }
  }

  /** Executes the model's calls, and returns the next input, or the outcome of the task. */
  async #follow(said: ModelStep, executor: ToolExecutor, signal: AbortSignal): Promise<ModelInput | TaskEnding> {
    if (said.finishReason === 'REFUSED') return failed('The model, or a filter of its vendor, refused to answer.')
    if (said.calls.length === 0) return this.#endInWords(said)
    const { answers, end, nonsense, isSeen } = await executor.take(said.calls, said.cost, signal)
    if (end?.kind === 'GIVE_UP') return failed(`The model gave up: ${end.reason}`)
    if (end) {
      const problem = await this.#finish(end.result)
      if (typeof problem !== 'string') return problem
      const answered = answers.map((answer) => (answer.callId === end.callId ? { ...answer, text: problem } : answer))
      return { text: null, answers: answered, view: null }
    }
    this.#nonsense = nonsense === null ? 0 : this.#nonsense + 1
    if (this.#nonsense >= MAX_NONSENSE) return failed(`The model asked for nothing that can be done: ${nonsense}`)
    signal.throwIfAborted()
    return { text: null, answers, view: isSeen ? null : await executor.view(signal) }
  }

  /** A response without a call: the result, unless it is empty. */
  async #endInWords({ text, finishReason }: ModelStep): Promise<ModelInput | TaskEnding> {
    if (text.trim() !== '' && finishReason !== 'LENGTH') {
      const problem = await this.#finish(text.trim())
      return typeof problem === 'string' ? { text: problem, answers: [], view: null } : problem
    }
    this.#nonsense += 1
    const problem = finishReason === 'LENGTH' ? 'Your answer was cut, for it was too long.' : 'Your answer was empty.'
    if (this.#nonsense >= MAX_NONSENSE) {
      const what = finishReason === 'LENGTH' ? 'were cut by the limit of its vendor' : 'were empty'
      return failed(`The answers of the model ${what}, ${MAX_NONSENSE} times in a row.`)
    }
    return { text: `${problem} Call a tool.`, answers: [], view: null }
  }

  /** The end of the task, or what is wrong with the result, for the model. */
  async #finish(given: unknown): Promise<TaskEnding | string> {
    const { result, problem } = await readResult(given, this.#options.outputSchema)
    if (problem === null) return { status: 'COMPLETED', result: deeplyWellFormed(result), error: null }
    this.#badResults += 1
    if (this.#badResults >= MAX_BAD_RESULTS) {
      return failed(`The model gave no result that fits, ${MAX_BAD_RESULTS} times: ${problem}`)
    }
    return `The result does not fit: ${problem}. Mend it and call finish again.`
  }

  async #note(step: number, { text, calls, cost }: ModelStep, durationMs: number): Promise<void> {
    this.#record = { ...this.#record, steps: step, cost: step === 1 ? cost : sumOfCosts(this.#record.cost, cost) }
    this.#events.spent(cost)
    this.#events.record({
      kind: 'TASK_STEP',
      at: Date.now(),
      data: {
        taskId: this.#record.id,
        step,
        text: text.slice(0, TEXT_LIMITS.taskText),
        // Names only: texts typed into password fields must not be logged.
        calls: calls.slice(0, 50).map(({ name }) => name.slice(0, 100)),
        durationMs,
        cost,
      },
    })
    await this.#save({ steps: step, cost: this.#record.cost }, 1)
  }

  /** Why the task must stop because its budget is used up. */
  #overspent(): string | null {
    const { maxUsd } = this.#options
    const { usd } = this.#record.cost
    if (maxUsd === null) return null
    if (usd === null) return 'The model’s vendor does not tell how many tokens it took, so maxUsd cannot be kept.'
    return usd >= maxUsd ? `The task has cost ${usd.toFixed(6)} USD of ${maxUsd} (maxUsd).` : null
  }

  #endingOfError(error: unknown): TaskEnding {
    if (error instanceof ChatModelFailed || error instanceof TabwireError) return failed(error.message)
    this.#logger.error({ err: error, taskId: this.#record.id }, 'a task failed')
    return failed('Something went wrong on the server; its log has the details.')
  }

  /** The row first: a client that sees the end in the log and then reads the task must find it ended. */
  async #conclude({ status, result, error }: TaskEnding): Promise<void> {
    const reported = error === null ? null : deeplyWellFormed(error).slice(0, TEXT_LIMITS.taskText)
    const { id: taskId, steps, cost } = this.#record
    const endedAt = Date.now()
    this.#record = { ...this.#record, status, result, error: reported, endedAt }
    await this.#save({ status, result, error: reported, steps, cost, endedAt }, STORE_TRIES)
    this.#events.record({
      kind: 'TASK_ENDED',
      at: endedAt,
      data: { taskId, status, result, error: reported, steps, cost },
    })
  }

  async #save(change: Parameters<Store['updateTask']>[1], tries: number): Promise<void> {
    const { id } = this.#record
    try {
      await pRetry(() => this.#store.updateTask(id, change), { retries: tries - 1, minTimeout: STORE_PAUSE_MS })
    } catch (error) {
      this.#logger.error({ err: error, taskId: id }, 'a task could not be saved')
    }
  }
}

const LAST_ANSWER = 'Your next answer is the last: call finish or giveUp.'

/** For a stopped task: its own reason, or that of the session's end. */
function endingOf(reason: unknown): TaskEnding {
  if (typeof reason === 'object' && reason !== null) {
    if ('status' in reason) return reason as TaskEnding
    if ('reason' in reason) {
      const ending = reason as SessionEnding
      const isOrderly = ending.reason === 'TERMINATED' || ending.reason === 'SERVER_SHUTDOWN'
      const error = `The session ended (${ending.reason}).`
      return isOrderly ? { status: 'CANCELLED', result: null, error } : failed(error)
    }
  }
  return failed('The task was stopped.')
}

/** The sum of both; usd is unknown if it is unknown for one. */
export function sumOfCosts(one: Cost, other: Cost): Cost {
  return {
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    usd: one.usd === null || other.usd === null ? null : withoutDust(one.usd + other.usd),
  }
}

/**
 * Binary fractions do not add up exactly: 0.0012 and 0.0003 are not 0.0015. The digits cut off are smaller than the
 * price of any token.
 */
const withoutDust = (usd: number) => Number(usd.toFixed(12))
