import { defineInput, defineOneOf, field, type FieldValues } from '../input/input-field.ts'

const SELECTOR_LENGTH = 2000

const ROLE_TARGET = defineInput('RoleTarget', 'An element by its role for assistive technology.', {
  role: field.requiredText('An ARIA role: "button", "link", "textbox" …', { max: 50 }),
  name: field.text('Substring of its accessible name, case-insensitive. Default: any.', { max: SELECTOR_LENGTH }),
  exact: field.flagOr('True: the whole name, with regard to case.', false),
})

export const TARGET = defineOneOf(
  'Target',
  'Selects an element by exactly one of these fields. If several match, the first is taken where only one can be acted on.',
  {
    css: field.text(
      'A CSS selector; it also finds elements in open shadow roots. " >> " after an iframe enters the frame: "iframe#payment >> input[name=card]".',
      { max: SELECTOR_LENGTH },
    ),
    text: field.text('Part of the text of the element, without regard to case: the smallest element that has it.', {
      max: SELECTOR_LENGTH,
    }),
    role: field.object('Role and accessible name.', ROLE_TARGET),
    label: field.text('Part of the text of the label of a form control, without regard to case.', {
      max: SELECTOR_LENGTH,
    }),
    testId: field.text('The whole value of the attribute data-testid.', { max: SELECTOR_LENGTH }),
    ref: field.text(
      'A ref of Observation.snapshot, such as "e4"; in frames too ("f1e4"). It is good until the element goes: then STALE_REF.',
      { max: 50 },
    ),
  },
)

export type Target = FieldValues<typeof TARGET.fields>

export const timeoutMs = field.wholeNumberOr(
  'Milliseconds that this step may take; then it fails with TIMEOUT.',
  30_000,
  1,
  120_000,
)
export const target = field.requiredObject('The element.', TARGET)
export const optionalTarget = (description: string) => field.object(description, TARGET)
