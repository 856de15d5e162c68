import { z } from 'zod'
import { int, pageId, safeInt, time } from './members.ts'

const message = z.object({
  at: time,
  eventName: z.string(),
  /** The last id that the server sent; empty: none. */
  eventId: z.string(),
  data: z.string(),
  sizeBytes: safeInt,
  /** Whether `data` was cut. */
  truncated: z.boolean(),
})
export type EventSourceMessage = z.output<typeof message>

export const eventSourceMessages = z.object({
  /** Number of the NETWORK_REQUEST that receives them. */
  requestId: int,
  url: z.string(),
  pageId,
  messages: z.array(message),
  /** Messages that were counted instead of stored. */
  omitted: int,
})
