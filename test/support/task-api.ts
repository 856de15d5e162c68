import { expect } from 'vitest'
import type { AiConfig } from '../../src/config.ts'
import type { Asked, Call, FakeModelServer, Reply } from './fake-model-server.ts'
import type { GraphQLError, TestApp } from './start-app.ts'
import { WAIT_LIMITS } from './time-limits.ts'
import { readEntireLog } from './entire-log.ts'

export const MODEL_KEY = 'secret-of-the-vendor-account'

/** Tokens of the scripted model cost a millionth of a dollar in, ten millionths out. */
export const aiOf = (model: FakeModelServer): AiConfig => ({
  provider: 'openai-compatible',
  model: 'scripted',
  apiKey: MODEL_KEY,
  baseUrl: model.url,
  prices: { scripted: { input: 1, output: 10 } },
})

interface CostData {
  inputTokens: number
  outputTokens: number
  usd: number | null
}

export interface TaskData {
  id: string
  prompt: string
  status: string
  result: unknown
  error: string | null
  steps: number
  cost: CostData
  createdAt: string
  endedAt: string | null
  session: { id: string }
}

export interface TimelineEntry {
  __typename: string
  type?: string
  origin?: string
  success?: boolean
  error?: { code: string; message: string } | string | null
  details?: Record<string, unknown>
  result?: unknown
  cost?: CostData
  actionCost?: CostData | null
  text?: string
  calls?: string[]
  step?: number
  steps?: number
  taskId?: string
  taskStatus?: string
  to?: string
}

export const TASK = `id prompt status result error steps cost { inputTokens outputTokens usd } createdAt endedAt session { id }`
const TIMELINE = `__typename
  ... on StatusChange { to }
  ... on Action { type origin success error { code message } details result actionCost: cost { inputTokens outputTokens usd } }
  ... on TaskStep { taskId step text calls cost { inputTokens outputTokens usd } }
  ... on TaskEnded { taskId taskStatus result errorMessage steps cost { inputTokens outputTokens usd } }`

/** Starts, follows and cancels tasks of an app that exists only once its tests run. */
export const taskApi = (tabwire: () => TestApp) => {
  const list = async (sessionId: string): Promise<TaskData[]> => {
    const query = `query ($id: ID!) { session(id: $id) { tasks { ${TASK} } } }`
    return (await tabwire().query<{ session: { tasks: TaskData[] } }>(query, { id: sessionId })).session.tasks
  }
  const START = `mutation ($sessionId: ID!, $input: TaskInput!) { startTask(sessionId: $sessionId, input: $input) { ${TASK} } }`
  return {
    list,

    async start(sessionId: string, input: Record<string, unknown>): Promise<TaskData> {
      return (await tabwire().query<{ startTask: TaskData }>(START, { sessionId, input })).startTask
    },

    async refusal(sessionId: string, input: Record<string, unknown>): Promise<GraphQLError> {
      const { errors } = await tabwire().send(START, { sessionId, input })
      return errors![0]!
    },

    async cancel(id: string): Promise<TaskData> {
      const query = `mutation ($id: ID!) { cancelTask(id: $id) { ${TASK} } }`
      return (await tabwire().query<{ cancelTask: TaskData }>(query, { id })).cancelTask
    },

    /** The last task of the session, once it has ended. */
    async ended(sessionId: string, timeout: number = WAIT_LIMITS.timeout): Promise<TaskData> {
      await expect
        .poll(async () => (await list(sessionId)).at(-1)?.status, { timeout })
        .toMatch(/COMPLETED|FAILED|CANCELLED/)
      return (await list(sessionId)).at(-1)!
    },

    /** Steps and actions of a task and its session, from the log. */
    timeline(sessionId: string): Promise<TimelineEntry[]> {
      return readEntireLog(tabwire(), sessionId, TIMELINE, {
        only: 'kinds: [STATUS_CHANGE, ACTION, TASK_STEP, TASK_ENDED]',
      })
    },
  }
}

/** The ref of the first element whose line in the snapshot contains the text. */
export function refOf(view: string, line: string): { ref: string } {
  const found = view.split('\n').find((one) => one.includes(line))
  const ref = /\[ref=(\w+)\]/.exec(found ?? '')?.[1]
  if (!ref) throw new Error(`${line} cannot be seen in:\n${view}`)
  return { ref }
}

export const call = (name: string, input: object | string = {}): Call => ({ name, input })
export const calls = (...given: Call[]): Reply => ({ calls: given })
export const finish = (result: unknown): Reply => calls(call('finish', { result }))

/** A model that takes these steps, one per request, and then repeats the last one. */
export const steps =
  (...given: (Reply | ((asked: Asked) => Reply))[]) =>
  (asked: Asked): Reply => {
    const step = given[Math.min(asked.step, given.length - 1)]!
    return typeof step === 'function' ? step(asked) : step
  }
