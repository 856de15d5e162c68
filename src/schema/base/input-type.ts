import type { InputRef } from '@pothos/core'
import type { EnumDefinition, InputDefinition, InputField, InputFields } from '../../contract/input/input-field.ts'
import { ACTION_KINDS } from '../../contract/actions/list.ts'
import { builder } from './builder.ts'
import { describedValues } from './enum-values.ts'

/** Types built so far, by name, each with its definition. */
const made = new Map<string, { definition: object; type: unknown }>()

/** The input type of a definition; the domain checks rules that GraphQL cannot express. */
export function inputTypeOf(definition: InputDefinition<InputFields>): InputRef<unknown> {
  return madeOnce<InputRef<unknown>>(definition.inputName, definition, () => {
    const { inputName, isOneOf, fields } = definition
    const description = describeInput(definition)
    return builder.inputType(inputName, {
      description,
      ...(isOneOf ? { isOneOf: true as const } : {}),
      fields: (t) =>
        Object.fromEntries(Object.entries(fields).map(([name, member]) => [name, t.field(optionsOf(member))])),
    })
  })
}

function optionsOf(member: InputField) {
  const type = typeOf(member.type)
  return {
    description: member.description,
    required: member.required,
    defaultValue: member.defaultValue,
    type: member.list ? ([type] as [typeof type]) : type,
  }
}

function typeOf(type: InputField['type']) {
  if (typeof type === 'string') return type
  return 'enumName' in type ? enumTypeOf(type) : inputTypeOf(type)
}

/** The enum type of a definition, for both inputs and outputs. */
export function enumTypeOf<V extends string>(definition: EnumDefinition<V>) {
  const { enumName, description, values, names } = definition
  return madeOnce(enumName, definition, () =>
    builder.enumType(enumName, { description, values: describedValues<V>(values, names) }),
  )
}

/** A name is one type: the fields of a second definition of that name would be missing from the schema. */
function madeOnce<Type>(name: string, definition: object, make: () => Type): Type {
  const known = made.get(name)
  if (known && known.definition !== definition) throw new Error(`two definitions are named ${name}`)
  if (known) return known.type as Type
  const type = make()
  made.set(name, { definition, type })
  return type
}

/** An input shared by several kinds is described by all of them. */
function describeInput({ inputName, description }: InputDefinition<InputFields>): string {
  const kinds = Object.entries(ACTION_KINDS).filter(([, { input }]) => input.inputName === inputName)
  return kinds.length > 1 ? `Input of the actions ${kinds.map(([name]) => name).join(', ')}.` : description
}
