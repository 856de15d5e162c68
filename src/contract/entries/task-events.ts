import { z } from 'zod'
import { int, json } from './members.ts'
import { cost } from './model-cost.ts'

const TASK_STATUSES = ['RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]

/** The model's response; its requested actions follow. */
export const taskStep = z.object({
  taskId: z.string(),
  step: int,
  text: z.string(),
  calls: z.array(z.string()),
  durationMs: int,
  cost,
})

export const taskEnded = z.object({
  taskId: z.string(),
  status: z.enum(TASK_STATUSES),
  result: json,
  error: z.string().nullable(),
  steps: int,
  cost,
})
