import { z } from 'zod'
import { safeInt } from './members.ts'

/** What a model took. */
export const cost = z.object({
  inputTokens: safeInt,
  outputTokens: safeInt,
  /** Null when the model has no known price. */
  usd: z.number().nullable(),
})
export type Cost = z.output<typeof cost>
