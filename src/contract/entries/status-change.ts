import { z } from 'zod'

const SESSION_STATUSES = ['CREATING', 'RUNNING', 'CLOSED', 'TIMED_OUT', 'FAILED'] as const
export type SessionStatus = (typeof SESSION_STATUSES)[number]

export const SESSION_END_REASONS = [
  'TERMINATED',
  'SERVER_SHUTDOWN',
  'IDLE_TIMEOUT',
  'MAX_DURATION',
  'LAUNCH_FAILED',
  'BROWSER_CRASHED',
  'BROWSER_MISBEHAVED',
  'INTERNAL_ERROR',
  'MACHINE_LOST',
  'TASK_COMPLETED',
  'TASK_FAILED',
] as const
export type SessionEndReason = (typeof SESSION_END_REASONS)[number]

export const statusChange = z.object({
  from: z.enum(SESSION_STATUSES).nullable(),
  to: z.enum(SESSION_STATUSES),
  endReason: z.enum(SESSION_END_REASONS).nullable(),
  /** Error message, for people. */
  error: z.string().nullable(),
})
