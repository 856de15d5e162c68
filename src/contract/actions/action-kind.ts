import {
  defineInput,
  field,
  type Check,
  type FieldValues,
  type InputDefinition,
  type InputField,
  type InputFields,
} from '../input-field.ts'

/** A kind of action: what it is called and what it takes. How it is done is the browser adapter's. */
export interface ActionKind<Type extends string, F extends InputFields> {
  /** As the log names it. */
  type: Type
  /** For clients and for models: what the step does. */
  description: string
  input: InputDefinition<F>
}

export function defineAction<Type extends string, F extends InputFields>(
  type: Type,
  inputName: string,
  description: string,
  fields: F,
  check?: Check<FieldValues<F>>,
): ActionKind<Type, F> {
  return { type, description, input: defineInput(inputName, description, fields, check) }
}

/** A kind that takes what another takes. */
export function likeAction<Type extends string, F extends InputFields>(
  type: Type,
  other: ActionKind<string, F>,
  description: string,
): ActionKind<Type, F> {
  return { type, description, input: other.input }
}

/** As a member of a @oneOf input. */
export function memberField<F extends InputFields>(kind: ActionKind<string, F>): InputField<FieldValues<F> | null> {
  return field.object(kind.description, kind.input)
}
