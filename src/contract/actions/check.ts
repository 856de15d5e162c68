import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { target, timeoutMs } from './target.ts'

export const check = defineAction('CHECK', 'CheckInput', 'Ticks or unticks a check box, or chooses a radio button.', {
  target,
  checked: field.flagOr('False unticks; a radio button can only be chosen.', true),
  timeoutMs,
})
