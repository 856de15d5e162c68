import { z } from 'zod'
import { safeInt } from './members.ts'

/** Cost of a model's response. */
export const cost = z.object({
  inputTokens: safeInt,
  outputTokens: safeInt,
  /** Null if the price of the model is unknown. */
  usd: z.number().nullable(),
})
export type Cost = z.output<typeof cost>
