import { z } from 'zod'
import { pageId } from './members.ts'

const DIALOG_TYPES = ['ALERT', 'CONFIRM', 'PROMPT', 'BEFORE_UNLOAD'] as const
export type DialogType = (typeof DIALOG_TYPES)[number]

export const dialog = z.object({
  type: z.enum(DIALOG_TYPES),
  message: z.string(),
  defaultValue: z.string().nullable(),
  pageId,
  url: z.string().nullable(),
  /** Its response: by a dialog action; otherwise dialogs are dismissed, and beforeunload is accepted. */
  accepted: z.boolean(),
})
