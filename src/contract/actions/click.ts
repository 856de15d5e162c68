import { defineAction } from './action-kind.ts'
import { defineInput, field, type EnumDefinition } from '../input/input-field.ts'
import { target, timeoutMs } from './target.ts'

export const MOUSE_BUTTON: EnumDefinition<'LEFT' | 'MIDDLE' | 'RIGHT'> = {
  enumName: 'MouseButton',
  description: 'A button of the mouse.',
  values: { LEFT: 'The main one.', MIDDLE: 'The wheel.', RIGHT: 'The button that opens context menus.' },
}

export const KEY_MODIFIER: EnumDefinition<'ALT' | 'CONTROL' | 'META' | 'SHIFT'> = {
  enumName: 'KeyModifier',
  description: 'A key that is held while something else happens.',
  values: { ALT: 'Alt.', CONTROL: 'Control.', META: 'The Windows or Command key.', SHIFT: 'Shift.' },
}

const OFFSET = defineInput('PositionInput', 'A point, from the upper left corner of the element.', {
  x: field.requiredNumber('CSS pixels to the right.', 0, 100_000),
  y: field.requiredNumber('CSS pixels down.', 0, 100_000),
})

export const click = defineAction(
  'CLICK',
  'ClickInput',
  'Clicks an element once it is visible, stable, enabled and not covered.',
  {
    target,
    button: field.choiceOr('Which button.', MOUSE_BUTTON, 'LEFT'),
    count: field.wholeNumberOr('Number of clicks; 2 is a double click.', 1, 1, 3),
    modifiers: field.choices('Keys to hold meanwhile.', KEY_MODIFIER),
    position: field.object('Position on the element. Default: its center.', OFFSET),
    timeoutMs,
  },
)
