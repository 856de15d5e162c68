import type { InputDefinition, InputField, InputFields } from '../../contract/input-field.ts'
import type { Json } from '../../ports/json.ts'

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
 * What a model is told of an input: JSON Schema of the plain kind that every vendor takes, without the rules that
 * have words only (they stand in the descriptions, and whoever breaks one is told so).
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
