import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { optionalTarget, timeoutMs } from './target.ts'

export const type = defineAction(
  'TYPE',
  'TypeInput',
  'Types text key by key, for pages that listen to keys. Text for password fields is masked in the log.',
  {
    target: optionalTarget('Element to focus first. Default: the focused element.'),
    text: field.requiredText('Text to type.', { max: 5_000 }),
    delayMs: field.wholeNumberOr('Milliseconds between two keys.', 0, 0, 1000),
    timeoutMs,
  },
)
