import { z } from 'zod'
import { int, jsonObject, pageId } from './members.ts'

const ISSUE_CATEGORIES = [
  'CONTENT_SECURITY_POLICY',
  'COOKIE',
  'CORS',
  'CROSS_ORIGIN_EMBEDDER_POLICY',
  'DEPRECATION',
  'FORM',
  'HEAVY_AD',
  'LOW_TEXT_CONTRAST',
  'MIXED_CONTENT',
  'PERMISSION',
  'QUIRKS_MODE',
  'OTHER',
] as const
export type IssueCategory = (typeof ISSUE_CATEGORIES)[number]

export const issue = z.object({
  /** The browser's name: CorsIssue, or for a generic issue its type. */
  code: z.string(),
  category: z.enum(ISSUE_CATEGORIES),
  /** A sentence for people. */
  message: z.string(),
  /** Number of the affected request within its session. */
  requestId: int.nullable(),
  affectedUrl: z.string().nullable(),
  /** Start tag of the element. */
  affectedElement: z.string().nullable(),
  url: z.string().nullable(),
  line: int.nullable(),
  column: int.nullable(),
  pageId,
  /** All details from the browser. */
  details: jsonObject,
  /** Number of detail values that were omitted or cut. */
  detailsOmitted: int,
})
