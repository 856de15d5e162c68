import { defineAction } from './action-kind.ts'
import { field } from '../input/input-field.ts'

export const setViewport = defineAction(
  'SET_VIEWPORT',
  'ViewportInput',
  'The size of the part of a page that can be seen. As an action it changes that one page; updateSession changes all.',
  {
    width: field.requiredWholeNumber('CSS pixels.', 50, 7680),
    height: field.requiredWholeNumber('CSS pixels.', 50, 7680),
  },
)
