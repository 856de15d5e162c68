import { z } from 'zod'
import { int } from './members.ts'

export const navigation = z.object({
  pageId: z.string(),
  url: z.string(),
  /** True for history.pushState, fragments and the like, when no new document was loaded. */
  sameDocument: z.boolean(),
})

export const pageOpened = z.object({ pageId: z.string(), url: z.string(), openerPageId: z.string().nullable() })

export const pageClosed = z.object({ pageId: z.string(), url: z.string() })

export const pageCrashed = z.object({
  pageId: z.string(),
  url: z.string(),
  /** The browser's term: "crashed", "oom", "killed" … */
  crashReason: z.string().nullable(),
  /** Signal number or exit code of the process. */
  crashCode: int.nullable(),
})
