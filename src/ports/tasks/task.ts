import type { Cost } from '../../contract/entries/model-cost.ts'
import type { TaskStatus } from '../../contract/entries/task-events.ts'
import type { Json } from '../base/json.ts'

export type { Cost, TaskStatus }

/** The row of a task. */
export interface TaskRecord {
  /** UUID version 7. */
  id: string
  sessionId: string
  owner: string
  prompt: string
  status: TaskStatus
  /** Text, or JSON that matches the requested schema; null until it is COMPLETED. */
  result: Json
  /** Error message, for people. */
  error: string | null
  steps: number
  cost: Cost
  /** Milliseconds since the epoch. */
  createdAt: number
  endedAt: number | null
}
