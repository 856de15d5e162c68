import { z } from 'zod'
import { pageId, safeInt } from './members.ts'

export const download = z.object({
  url: z.string(),
  suggestedFilename: z.string(),
  pageId,
  sizeBytes: safeInt.nullable(),
  /** Error message ("canceled", …); null when it completed. */
  failure: z.string().nullable(),
  /**
   * The artifact with the file; null if the download failed, or could not be saved: then keepFailure has the reason.
   */
  artifactId: z.string().nullable(),
  keepFailure: z.string().nullable(),
})
