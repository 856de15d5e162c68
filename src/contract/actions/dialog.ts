import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { timeoutMs } from './target.ts'

export const dialog = defineAction(
  'DIALOG',
  'DialogInput',
  'Answers the dialog that is open on the page, or else the next one that opens (then the step succeeds immediately, and must precede the one that opens it). details.next is one that the page opened right after it. Dialogs that are not answered are dismissed after a moment; leaving a page is accepted.',
  {
    accept: field.flagOr('True: OK. False: Cancel.', true),
    promptText: field.text('Response to prompt(). Default: its default value.', { min: 0, max: 10_000 }),
    timeoutMs,
  },
)
