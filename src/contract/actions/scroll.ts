import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'
import { optionalTarget, timeoutMs } from './target.ts'

export const scroll = defineAction(
  'SCROLL',
  'ScrollInput',
  'Scrolls an element or the page by x and y; with neither, scrolls the element into view.',
  {
    target: optionalTarget('Element to scroll, or to scroll into view. Default: the page.'),
    x: field.numberOr('CSS pixels to the right.', 0, -1_000_000, 1_000_000),
    y: field.numberOr('CSS pixels down.', 0, -1_000_000, 1_000_000),
    timeoutMs,
  },
  ({ target, x, y }) =>
    target === null && x === 0 && y === 0 ? { code: 'REQUIRED', message: 'must have a target, x or y' } : null,
)
