import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { target, timeoutMs } from './target.ts'

export const fill = defineAction(
  'FILL',
  'FillInput',
  'Sets the value of a text field, a textarea or a contenteditable element in one step. Text for password fields is masked in the log.',
  {
    target,
    value: field.requiredText('The whole new value; empty clears it.', { min: 0, max: 100_000 }),
    timeoutMs,
  },
)
