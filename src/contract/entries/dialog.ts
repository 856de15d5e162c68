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
  /** How it was answered: by a dialog action, else it is dismissed, and beforeunload accepted. */
  accepted: z.boolean(),
})
