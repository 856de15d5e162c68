import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { optionalTarget, timeoutMs } from './target.ts'

export const evaluate = defineAction(
  'EVALUATE',
  'EvaluateInput',
  'Evaluates JavaScript in the page. The result is converted to JSON, with promises awaited; values without a JSON equivalent become null. One that is too long or nests deeper than 100 levels, and whatever the script throws, is SCRIPT_ERROR. A script that is not done in time is TIMEOUT; where it keeps the page from answering it is ended.',
  {
    expression: field.requiredText(
      'An expression, or a function that is called: with `arg`, or with the element and `arg` where there is a target.',
      { max: 100_000 },
    ),
    arg: field.json('Argument of the function.', { maxBytes: 500_000 }),
    target: optionalTarget('Call the function with this element first.'),
    timeoutMs,
  },
)
