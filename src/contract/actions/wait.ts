import { defineAction } from './action-kind.ts'
import { field, type EnumDefinition } from '../input/input-field.ts'
import { LOAD_STATE } from './navigate.ts'
import { optionalTarget, timeoutMs } from './target.ts'

const TARGET_STATE: EnumDefinition<'VISIBLE' | 'HIDDEN' | 'ATTACHED' | 'DETACHED'> = {
  enumName: 'TargetState',
  description: 'State of an element.',
  values: {
    VISIBLE: 'It can be seen.',
    HIDDEN: 'It cannot be seen, or is not there.',
    ATTACHED: 'It is in the document.',
    DETACHED: 'It is not in the document.',
  },
}

export const wait = defineAction(
  'WAIT',
  'WaitInput',
  'Waits for an element, a load state, a URL or a time: exactly one of them.',
  {
    target: optionalTarget('Wait until this element has this `state`.'),
    state: field.choiceOr('State of the element of `target` to wait for.', TARGET_STATE, 'VISIBLE'),
    loadState: field.choice('Wait until the page has reached this state.', LOAD_STATE),
    url: field.text('Wait until the URL of the page is this one; * matches anything but /, ** anything.', {
      max: 8000,
    }),
    timeMs: field.wholeNumber('Wait so many milliseconds. Not more than timeoutMs.', 1, 120_000),
    timeoutMs,
  },
  ({ target, loadState, url, timeMs, timeoutMs: limitMs }) => {
    if ([target, loadState, url, timeMs].filter((member) => member !== null).length !== 1) {
      return { code: 'CONFLICT', message: 'must have exactly one of target, loadState, url, timeMs' }
    }
    return timeMs !== null && timeMs > limitMs
      ? { code: 'OUT_OF_RANGE', message: 'timeMs must not be longer than timeoutMs' }
      : null
  },
)
