import { z } from 'zod'
import { ACTION_KINDS, type ActionType } from '../actions/list.ts'
import { int, json, jsonObject, pageId, time } from './members.ts'
import { cost } from './model-cost.ts'

export const ACTION_ERROR_CODES = [
  'INVALID_INPUT',
  'TIMEOUT',
  'NOT_FOUND',
  'NOT_ACTIONABLE',
  'NAVIGATION_FAILED',
  'NAVIGATION_INTERRUPTED',
  'BLOCKED',
  'STALE_REF',
  'SCRIPT_ERROR',
  'PAGE_CLOSED',
  'SESSION_ENDED',
  'CANCELLED',
  'SKIPPED',
  'STORAGE_FULL',
  'STORAGE_UNAVAILABLE',
  'QUOTA_EXCEEDED',
] as const
export type ActionErrorCode = (typeof ACTION_ERROR_CODES)[number]

const ACTION_ORIGINS = ['API', 'TASK', 'CLIENT'] as const
export type ActionOrigin = (typeof ACTION_ORIGINS)[number]

const actionError = z.object({
  code: z.enum(ACTION_ERROR_CODES),
  /** A sentence for people: the awaited condition, the covering element, the final URL and status. */
  message: z.string(),
})
export type ActionError = z.output<typeof actionError>

export const action = z.object({
  type: z.enum(Object.values(ACTION_KINDS).map(({ type }) => type) as [ActionType]),
  origin: z.enum(ACTION_ORIGINS),
  pageId,
  /** `at` of the entry is the time of completion. */
  startedAt: time,
  success: z.boolean(),
  error: actionError.nullable(),
  durationMs: int,
  details: jsonObject,
  result: json,
  artifactId: z.string().nullable(),
  /** For origin TASK: the task. */
  taskId: z.string().nullable(),
  /**
   * For origin TASK: the cost of the model's step; null for further actions of the same step, and for other origins.
   */
  cost: cost.nullable(),
})
