import { z } from 'zod'
import { pageId, safeInt } from './members.ts'

export const download = z.object({
  url: z.string(),
  suggestedFilename: z.string(),
  pageId,
  sizeBytes: safeInt.nullable(),
  /** Why it failed ("canceled", …); null when it completed. */
  failure: z.string().nullable(),
  /** The artifact that keeps the file; null when it failed, or could not be kept: then keepFailure says why. */
  artifactId: z.string().nullable(),
  keepFailure: z.string().nullable(),
})
