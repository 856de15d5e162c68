import { z } from 'zod'
import { SESSION_EVENT_KINDS } from './kinds.ts'
import { int, time } from './members.ts'

const DROP_REASONS = [
  'FLOOD',
  'LOG_LIMIT',
  'STORE_UNAVAILABLE',
  'UNSTORABLE',
  'MESSAGE_TOO_LARGE',
  'TERMINATED',
  /** Never stored: replaces an entry when it is read. */
  'UNREADABLE',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

export const entriesDropped = z.object({
  reason: z.enum(DROP_REASONS),
  /** Null: unknown, since the browser had not delivered them (TERMINATED), or the count itself is unreadable. */
  count: int.nullable(),
  countsByKind: z.partialRecord(z.enum(SESSION_EVENT_KINDS), int),
  /** Times of the first and the last dropped entry. */
  from: time,
  to: time,
})
