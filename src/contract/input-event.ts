import { KEY_MODIFIER, MOUSE_BUTTON } from './actions/click.ts'
import { defineInput, defineOneOf, field, type EnumDefinition, type FieldValues } from './input/input-field.ts'

/** Limits of one call. Texts in UTF-16 code units. */
export const INPUT_LIMITS = { events: 100, typed: 1_000, pasted: 100_000, fingers: 10 } as const

const FAR = 100_000

const MOUSE_EVENT: EnumDefinition<'MOVE' | 'DOWN' | 'UP'> = {
  enumName: 'MouseEventType',
  description: 'Type of a mouse event.',
  values: {
    MOVE: 'It moves, with the buttons held that are down.',
    DOWN: 'A button goes down.',
    UP: 'A button goes up.',
  },
}

const KEY_EVENT: EnumDefinition<'DOWN' | 'UP'> = {
  enumName: 'KeyEventType',
  description: 'Type of a key event.',
  values: { DOWN: 'The key goes down, and types its character.', UP: 'It goes up.' },
}

const TOUCH_EVENT: EnumDefinition<'START' | 'MOVE' | 'END' | 'CANCEL'> = {
  enumName: 'TouchEventType',
  description: 'Type of a touch event.',
  values: {
    START: 'A finger comes down.',
    MOVE: 'Fingers move; one that is left out was lifted.',
    END: 'All are lifted.',
    CANCEL: 'The touch is broken off.',
  },
}

const place = {
  x: field.requiredNumber('CSS pixels from the left edge of the viewport.', -FAR, FAR),
  y: field.requiredNumber('CSS pixels from its upper edge.', -FAR, FAR),
}

const modifiers = field.choices('Keys that are held meanwhile.', KEY_MODIFIER)

const MOUSE = defineInput('MouseEventInput', 'Something that a mouse does.', {
  type: field.requiredChoice('What it does.', MOUSE_EVENT),
  ...place,
  button: field.choiceOr('Which button goes down or up; means nothing for MOVE.', MOUSE_BUTTON, 'LEFT'),
  clickCount: field.wholeNumberOr('Which click in a row it belongs to: 2 makes a double click.', 1, 1, 3),
  modifiers,
})

const WHEEL = defineInput('WheelEventInput', 'Turn of the mouse wheel.', {
  ...place,
  deltaX: field.numberOr('CSS pixels to the right.', 0, -FAR, FAR),
  deltaY: field.numberOr('CSS pixels down.', 0, -FAR, FAR),
})

const KEY = defineInput('KeyEventInput', 'Something that a key does.', {
  type: field.requiredChoice('What it does.', KEY_EVENT),
  key: field.requiredText('As KeyboardEvent.key has it: "a", "A", "Enter", "ArrowDown".', { max: 50 }),
  code: field.text('Value of KeyboardEvent.code: "KeyA". Default: that of the key on a US keyboard.', {
    max: 50,
  }),
  modifiers,
})

const TEXT = defineInput('TextEventInput', 'A text that is typed.', {
  text: field.requiredText(
    `Typed key by key where an American keyboard has the key, else put in as a whole. At most ${INPUT_LIMITS.typed} characters.`,
    { max: INPUT_LIMITS.typed },
  ),
})

const PASTE = defineInput('PasteEventInput', 'A text that is pasted.', {
  text: field.requiredText(
    `The page gets a paste event, and the text where it does not prevent that. At most ${INPUT_LIMITS.pasted} characters.`,
    { max: INPUT_LIMITS.pasted },
  ),
})

const FINGER = defineInput('TouchPointInput', 'A finger on the screen.', {
  ...place,
  id: field.wholeNumberOr('Which finger it is for as long as it is down.', 0, 0, 100),
})

const TOUCH = defineInput(
  'TouchEventInput',
  'Something that fingers do on a touch screen.',
  {
    type: field.requiredChoice('What they do.', TOUCH_EVENT),
    points: field.objects(
      `The fingers that are down: all of them for START and MOVE, at most ${INPUT_LIMITS.fingers}; none for END and CANCEL.`,
      FINGER,
      INPUT_LIMITS.fingers,
    ),
  },
  ({ type, points }) => {
    const isDown = type === 'START' || type === 'MOVE'
    if (isDown && points.length === 0) return { code: 'REQUIRED', message: `must have points to ${type}` }
    if (!isDown && points.length > 0) return { code: 'CONFLICT', message: `must have no points to ${type}` }
    return new Set(points.map(({ id }) => id)).size === points.length
      ? null
      : { code: 'CONFLICT', message: 'must have an id of its own for each point' }
  },
)

/** User input for a page; the member that is given determines its kind. */
export const INPUT_EVENT = defineOneOf('InputEvent', 'One thing that a person does: exactly one of them.', {
  mouse: field.object('The mouse moves, or a button of it goes down or up.', MOUSE),
  wheel: field.object('The wheel of the mouse turns.', WHEEL),
  key: field.object('A key goes down or up.', KEY),
  text: field.object('A text is typed.', TEXT),
  paste: field.object('A text is pasted.', PASTE),
  touch: field.object('Fingers touch the screen.', TOUCH),
})

type Members = FieldValues<typeof INPUT_EVENT.fields>
/** Exactly one member is present. */
export type InputEvent = { [M in keyof Members]: { kind: M } & NonNullable<Members[M]> }[keyof Members]

export type MouseInput = Extract<InputEvent, { kind: 'mouse' }>
export type KeyInput = Extract<InputEvent, { kind: 'key' }>
export type KeyModifier = KeyInput['modifiers'][number]
