import { z } from 'zod'
import { int } from './members.ts'

export const navigation = z.object({
  pageId: z.string(),
  url: z.string(),
  /** True for history.pushState, fragments and the like, where no new document was loaded. */
  sameDocument: z.boolean(),
})

export const pageOpened = z.object({ pageId: z.string(), url: z.string(), openerPageId: z.string().nullable() })

export const pageClosed = z.object({ pageId: z.string(), url: z.string() })

export const pageCrashed = z.object({
  pageId: z.string(),
  url: z.string(),
  /** As the browser calls it: "crashed", "oom", "killed" … */
  crashReason: z.string().nullable(),
  /** Number of the signal, or exit code, of the process. */
  crashCode: int.nullable(),
})
