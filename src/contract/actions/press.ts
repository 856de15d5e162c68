import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { optionalTarget, timeoutMs } from './target.ts'

export const press = defineAction('PRESS', 'PressInput', 'Presses a key or a combination of keys.', {
  target: optionalTarget('Element to focus first. Default: the focused element.'),
  key: field.requiredText(
    'A key by its name in KeyboardEvent.key, with modifiers before it: "Enter", "a", "ArrowDown", "Control+A", "Shift+Tab".',
    { max: 100 },
  ),
  timeoutMs,
})
