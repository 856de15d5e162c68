import { defineAction } from './action-kind.ts'
import { field, type EnumDefinition } from '../input/input-field.ts'
import { target, timeoutMs } from './target.ts'

const EXTRACT_KIND: EnumDefinition<'TEXT' | 'HTML' | 'ATTRIBUTE' | 'VALUE' | 'LIST'> = {
  enumName: 'ExtractKind',
  description: 'Content to extract from an element.',
  values: {
    TEXT: 'Its visible text. The result is a string.',
    HTML: 'Its own HTML. The result is a string.',
    ATTRIBUTE: 'The attribute that `attribute` names. The result is a string, null where it has none.',
    VALUE:
      'The value of a form control. The result is a string; of a <select multiple>, a list of strings; of a check box or radio button, true or false.',
    LIST: 'An object for each element that matches, made by `fields`. The result is a list.',
  },
}

export const extract = defineAction(
  'EXTRACT',
  'ExtractInput',
  'Extracts content of the page as JSON. Long texts are truncated; details.truncated has the number of characters cut.',
  {
    target,
    as: field.choiceOr('Kind of content to extract.', EXTRACT_KIND, 'TEXT'),
    attribute: field.text('The attribute, with as: ATTRIBUTE.', { max: 200 }),
    fields: field.json(
      'With as: LIST: a JSON object whose members become members of each item. A value is a CSS selector within the item ("" is the item itself), whose text is taken, or {css, as: "TEXT" | "HTML" | "ATTRIBUTE" | "VALUE", attribute}. What is not found is null.',
      { maxBytes: 20_000 },
    ),
    limit: field.wholeNumberOr('With as: LIST: how many items at most.', 1000, 1, 10_000),
    timeoutMs,
  },
  ({ as, attribute, fields }) => {
    if ((as === 'ATTRIBUTE') !== (attribute !== null)) {
      return { code: 'CONFLICT', message: 'attribute belongs to as: ATTRIBUTE, which needs it' }
    }
    if ((as === 'LIST') !== (fields !== null)) {
      return { code: 'CONFLICT', message: 'fields belongs to as: LIST, which needs it' }
    }
    return fields === null || isFieldMap(fields)
      ? null
      : { code: 'INVALID_FORMAT', message: 'fields must be an object of selectors, or of {css, as, attribute}' }
  },
)

/** Limits of `fields`; checked by the rule above. */
export type ExtractFields = Record<
  string,
  string | { css: string; as?: 'TEXT' | 'HTML' | 'ATTRIBUTE' | 'VALUE'; attribute?: string }
>

function isFieldMap(value: unknown): value is ExtractFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const members = Object.values(value)
  return members.length > 0 && members.length <= 100 && members.every(isField)
}

function isField(value: unknown): boolean {
  if (typeof value === 'string') return true
  if (typeof value !== 'object' || value === null || !('css' in value) || typeof value.css !== 'string') return false
  if (Object.keys(value).some((name) => !['css', 'as', 'attribute'].includes(name))) return false
  const as = 'as' in value ? value.as : 'TEXT'
  const attribute = 'attribute' in value ? value.attribute : undefined
  if (as === 'ATTRIBUTE') return typeof attribute === 'string'
  return (as === 'TEXT' || as === 'HTML' || as === 'VALUE') && attribute === undefined
}
