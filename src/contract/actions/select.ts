import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { target, timeoutMs } from './target.ts'

export const select = defineAction(
  'SELECT',
  'SelectInput',
  'Selects options of a <select>, instead of those that were selected. An option that is not there is NOT_FOUND.',
  {
    target,
    values: field.texts('Options by value. An empty list selects none.', { max: 100, longest: 1000 }),
    labels: field.texts('Options by the text that is shown.', { max: 100, longest: 1000 }),
    timeoutMs,
  },
  ({ values, labels }) =>
    (values === null) === (labels === null)
      ? { code: 'CONFLICT', message: 'must have exactly one of values and labels' }
      : null,
)
