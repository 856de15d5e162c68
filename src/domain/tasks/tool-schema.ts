import type { InputDefinition, InputField, InputFields } from '../../contract/input/input-field.ts'
import type { Json } from '../../ports/base/json.ts'

type JsonSchema = { [key: string]: Json }

const SCALARS = {
  String: 'string',
  ID: 'string',
  Int: 'integer',
  Float: 'number',
  Boolean: 'boolean',
  DateTime: 'string',
} as const

/**
 * The description of an input for models: plain JSON Schema that every vendor accepts, without rules that only exist in
 * words (they are in the descriptions, and a violation is reported to the model).
 */
export function toolSchemaOf(input: InputDefinition<InputFields>, without: readonly string[] = []): JsonSchema {
  const fields = Object.entries(input.fields).filter(([name]) => !without.includes(name))
  const required = fields.filter(([, field]) => field.required).map(([name]) => name)
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)])),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  }
}

function fieldSchema({ type, list, description, defaultValue }: InputField): JsonSchema {
  const item = typeSchema(type)
  return {
    ...(list ? { type: 'array', items: item } : item),
    description: typeof type === 'object' && 'isOneOf' in type ? `${description} ${type.description}` : description,
    ...(defaultValue === undefined ? {} : { default: defaultValue }),
  }
}

function typeSchema(type: InputField['type']): JsonSchema {
  if (type === 'JSON') return {}
  if (typeof type === 'string') return { type: SCALARS[type] }
  return 'values' in type ? { type: 'string', enum: Object.keys(type.values) } : toolSchemaOf(type)
}
